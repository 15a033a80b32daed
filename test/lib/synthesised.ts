import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { createApp, type Deployment, defineDeployment } from '../../lib/index.ts';

const root = join(import.meta.dirname, '..', '..');

type AppOptions = {
  /** A folder of the CDK's own when absent. */
  readonly outdir?: string;
  /** Whether CloudFormation's own rules are looked at, too: seconds of work, done for every configuration where cdk-nag is. */
  readonly validation?: boolean;
};

/** An app as `cdk synth` makes it, without the functions' bundles. */
export function appOf(
  deployment: Deployment = defineDeployment({}),
  { outdir, validation = false }: AppOptions = {},
): App {
  const { context } = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')) as { context: object };
  const app = new App({
    context: { ...context, 'aws:cdk:bundling-stacks': [] },
    builtinCloudFormationValidation: validation,
    ...(outdir === undefined ? {} : { outdir }),
  });
  return createApp(deployment, app);
}

export function stacksOf(app: App): readonly Stack[] {
  return app.node.children.filter((child): child is Stack => 'templateFile' in child);
}

/** Every template of the app, by the last part of the stack's name. */
export function templatesOf(app: App): ReadonlyMap<string, Template> {
  return new Map(
    stacksOf(app).map((stack) => [stack.stackName.split('-').at(-1) ?? '', Template.fromStack(stack)]),
  );
}
