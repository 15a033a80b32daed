import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { App } from 'aws-cdk-lib';
import { createApp, type Deployment, defineDeployment } from '../lib/index.ts';

/** `-c config=FILE` takes another configuration than sshtrail.config.ts; `-c name=NAME` and `-c lockDays=N` change those fields of it. */
const app = new App();
const context = app.node;
const file = String(
  context.tryGetContext('config') ?? new URL('../sshtrail.config.ts', import.meta.url).pathname,
);
const { default: configured }: { readonly default?: Deployment } = await import(
  pathToFileURL(resolve(file)).href
);
if (configured === undefined)
  throw new Error(`${file} exports no deployment; write: export default defineDeployment({ ... })`);
const name: unknown = context.tryGetContext('name');
const lockDays: unknown = context.tryGetContext('lockDays');
createApp(
  defineDeployment({
    ...configured,
    ...(typeof name === 'string' ? { name } : {}),
    retention: {
      ...configured.retention,
      ...(lockDays === undefined ? {} : { lockDays: Number(lockDays) }),
    },
  }),
  app,
).synth();
