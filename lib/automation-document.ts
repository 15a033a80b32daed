import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

/** What the stacks need to know of a runbook; the rest is the product's. */
export type RunbookOutline = {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  /** Event names that start it. */
  readonly events: readonly string[];
};

const outline = z.looseObject({
  id: z.string().regex(/^[A-Z][A-Z0-9]{1,7}-[0-9]{3}$/),
  title: z.string(),
  status: z.string(),
  why: z.string().default(''),
  trigger: z.looseObject({ event: z.union([z.string(), z.array(z.string())]).optional() }).default({}),
});

/** Reads the runbooks of a folder, in order of their ids. */
export function readRunbooks(folder: string): readonly RunbookOutline[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => outline.parse(parse(readFileSync(join(folder, file), 'utf8'))))
    .filter(({ status }) => status !== 'deprecated')
    .map(({ id, title, why, trigger }) => ({
      id,
      title,
      why,
      events: trigger.event === undefined ? [] : [trigger.event].flat(),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * A runbook as an Automation document (schema 0.3): one way for everybody to take its steps on a finding, and all of them lead to the
 * function `act`, which holds the logic, the limits and the approvals.
 */
export function automationDocument(
  runbook: RunbookOutline,
  act: { readonly functionArn: string; readonly assumeRoleArn: string },
): Readonly<Record<string, unknown>> {
  return {
    schemaVersion: '0.3',
    description: `${runbook.id}: ${runbook.title}\n\n${runbook.why.trim()}\n\nTakes the steps of one finding. With DryRun true it only says what it would do.`,
    assumeRole: '{{ AutomationAssumeRole }}',
    outputs: ['takeSteps.Payload'],
    parameters: {
      FindingKey: {
        type: 'String',
        description: 'Key of the finding, as the notice and DetectCondition have it.',
        allowedPattern: '^[A-Za-z0-9][A-Za-z0-9._:@/+=,-]{0,199}$',
      },
      DryRun: {
        type: 'String',
        description: 'true: says what it would do and does nothing.',
        default: 'true',
        allowedValues: ['true', 'false'],
      },
      AutomationAssumeRole: {
        type: 'AWS::IAM::Role::Arn',
        description: 'Role that calls the function.',
        default: act.assumeRoleArn,
      },
    },
    mainSteps: [
      {
        name: 'takeSteps',
        action: 'aws:invokeLambdaFunction',
        timeoutSeconds: 120,
        maxAttempts: 2,
        isEnd: true,
        inputs: {
          FunctionName: act.functionArn,
          InvocationType: 'RequestResponse',
          InputPayload: {
            runbookId: runbook.id,
            findingKey: '{{ FindingKey }}',
            dryRun: '{{ DryRun }}',
            automationExecutionId: '{{ automation:EXECUTION_ID }}',
          },
        },
      },
    ],
  };
}
