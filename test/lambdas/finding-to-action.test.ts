import { setTimeout as sleep } from 'node:timers/promises';
import { CreateDocumentCommand } from '@aws-sdk/client-ssm';
import type { Context } from 'aws-lambda';
import { afterEach, expect, it, vi } from 'vitest';
import type { AuditRecord } from '../../core/contract/index.ts';
import { handler as actHandler } from '../../lambdas/act/handler.ts';
import { handler as runHandler } from '../../lambdas/run-runbook/handler.ts';
import { automationDocument, readRunbooks } from '../../lib/automation-document.ts';
import type { FakeService } from '../fakes/aws/fake-aws.ts';
import { fakeSsmAutomation } from '../fakes/aws/ssm-automation.ts';
import { openStage, sessionName, sessionsWithoutMfa } from './stage.ts';

const functionArn = 'arn:aws:lambda:eu-central-1:123456789012:function:sshtrail-act';

const context: Context = {
  callbackWaitsForEmptyEventLoop: true,
  functionName: 'x',
  functionVersion: '1',
  invokedFunctionArn: functionArn,
  memoryLimitInMB: '512',
  awsRequestId: '11111111-2222-4333-8444-555555555555',
  logGroupName: 'x',
  logStreamName: 'x',
  getRemainingTimeInMillis: () => 120_000,
  done: () => undefined,
  fail: () => undefined,
  succeed: () => undefined,
};

/** As the service calls them: without a callback. */
async function call<Input, Output>(
  handler: (event: Input, context: Context, callback: () => void) => void | Promise<Output>,
  event: Input,
): Promise<Output> {
  const output = await handler(event, context, () => undefined);
  if (output === undefined) throw new Error('the handler gave nothing');
  return output;
}

afterEach(() => vi.unstubAllEnvs());

it('ends a session without a second factor from the schedule to the gateway, once, however often it is delivered', {
  timeout: 30_000,
}, async () => {
  const published: string[] = [];
  const sns: FakeService = {
    service: 'sns',
    handle({ body }) {
      published.push(new URLSearchParams(body.toString('utf8')).get('Subject') ?? '');
      return {
        status: 200,
        headers: { 'content-type': 'text/xml' },
        body: '<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>',
      };
    },
  };
  const automation = fakeSsmAutomation({ invoke: (_, payload) => call(actHandler, payload as never) });
  const stage = await openStage({ services: [sns, automation] });
  vi.stubEnv('AWS_ENDPOINT_URL', stage.aws.endpoint);
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY');
  const variables = {
    ...stage.environment,
    SSHTRAIL_PARAMETER_PATH: '/sshtrail/sshtrail',
    SSHTRAIL_ATHENA_WORKGROUP: 'sshtrail',
    SSHTRAIL_GLUE_DATABASE: 'sshtrail',
    SSHTRAIL_EVENT_DATA_STORE_PARAMETER: '',
    SSHTRAIL_ACCOUNT_TRAIL: '',
    SSHTRAIL_NOTICE_TOPIC: 'arn:aws:sns:eu-central-1:123456789012:sshtrail',
  };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  const outline = readRunbooks('runbooks').find(({ id }) => id === 'SSH-002');
  if (outline === undefined) throw new Error('no SSH-002');
  await stage.clients.ssm.send(
    new CreateDocumentCommand({
      Name: 'sshtrail-SSH-002',
      DocumentType: 'Automation',
      Content: JSON.stringify(
        automationDocument(outline, {
          functionArn,
          assumeRoleArn: 'arn:aws:iam::123456789012:role/automation',
        }),
      ),
    }),
  );
  const nowMs = Date.now();
  stage.clock.nowMs = nowMs;
  await stage.openSession(sessionName(1));
  await stage.put(sessionsWithoutMfa(1, nowMs));
  const request = {
    kind: 'schedule',
    runbookId: 'SSH-002',
    engine: 'athena',
    scheduledTime: new Date(nowMs).toISOString(),
  } as const;
  const stopping = new AbortController();
  const gateway = (async () => {
    while (!stopping.signal.aborted) {
      for (const { id } of await stage.control.list('revocation')) await stage.control.delete('session', id);
      await sleep(50);
    }
  })();

  await Promise.all([call(runHandler, request), call(runHandler, request)]);
  await automation.idle();
  await call(runHandler, request);
  await automation.idle();
  stopping.abort();
  await gateway;

  expect(automation.executions.map(({ status, parameters }) => [status, parameters['DryRun']])).toEqual([
    ['Success', 'false'],
  ]);
  expect(automation.executions[0]?.outputs).toMatchObject([
    {
      findingKey: sessionName(1),
      state: 'acted',
      steps: [
        { action: 'evidence.snapshot', outcome: 'settled' },
        { action: 'session.revoke', outcome: 'done', revocation: 'confirmed' },
        { action: 'notify', outcome: 'done' },
      ],
    },
  ]);
  expect(published).toEqual([expect.stringContaining('[sshtrail] high: SSH-002')]);
  const steps = stage
    .recorded()
    .filter(({ eventName }: AuditRecord) => eventName === 'ExecuteRunbookStep')
    .map(({ requestParameters }) => requestParameters['action']);
  expect([...steps].sort((one, other) => ((one ?? '') < (other ?? '') ? -1 : 1))).toEqual([
    'evidence.snapshot',
    'notify',
    'session.revoke',
  ]);
});
