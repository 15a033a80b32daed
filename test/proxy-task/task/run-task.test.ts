import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { AuditRecord } from '#core/contract';
import { formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { runTask } from '../../../proxy-task/task/run-task.ts';
import { connectClient, connectSocket, linkFromSocket } from '../../../ssh/index.ts';
import { fakeDynamoDb } from '../../fakes/aws/dynamodb.ts';
import { createControlTable } from '../../fakes/aws/dynamodb-control-table.ts';
import { fakeEventBridge } from '../../fakes/aws/events.ts';
import { type FakeRequest, jsonError, startFakeAws } from '../../fakes/aws/fake-aws.ts';
import { fakeKms } from '../../fakes/aws/kms.ts';
import { fakeS3 } from '../../fakes/aws/s3.ts';
import { fakeSns } from '../../fakes/aws/sns.ts';
import { fakeSsmParameters } from '../../fakes/aws/ssm-parameters.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';
import { startCommandServer } from '../../support/command-server.ts';

const taskId = '0123456789abcdef0123456789abcdef';
const topic = 'arn:aws:sns:eu-central-1:123456789012:notices';
const all = '@id("all") permit (principal in Group::"engineers", action, resource);\n';
const root = join(import.meta.dirname, '..', '..', '..');

/** A task of the service, run here, in an AWS that answers over HTTP; looks at its policies often. */
async function openTask(workers: number) {
  const s3 = fakeS3({ buckets: ['evidence', 'journal'] });
  const aws = await startFakeAws({
    services: [
      s3,
      fakeDynamoDb(),
      fakeEventBridge({ buses: ['bus'] }),
      fakeSns({ topics: [topic] }),
      fakeSsmParameters(),
      fakeKms({
        keys: [
          { id: 'targets', spec: 'ECC_NIST_P256' },
          { id: 'engineers', spec: 'ECC_NIST_P256' },
        ],
      }),
    ],
  });
  onTestFinished(() => aws.close());
  const { table } = await createControlTable(aws.endpoint);
  const options = clientOptions(aws.endpoint);
  const ssm = new SSMClient(options);
  onTestFinished(() => ssm.destroy());
  const put = (name: string, value: string) =>
    ssm.send(
      new PutParameterCommand({
        Name: `/sshtrail/x/config/${name}`,
        Value: value,
        Type: 'String',
        Overwrite: true,
      }),
    );
  const target = await startCommandServer({
    authenticator: {
      acceptsKey: async () => true,
      keyProven: async () => ({ kind: 'success' }),
      startInteractive: async () => ({ kind: 'done', verdict: { kind: 'failure' } }),
      continueInteractive: async () => ({ kind: 'done', verdict: { kind: 'failure' } }),
      attemptFailed: async () => undefined,
    },
    methods: ['publickey'],
    maxAttempts: 3,
    graceMs: 30_000,
  });
  onTestFinished(() => target.close());
  const key = generatePrivateKey('ed25519');
  await put(
    'sshtrail.yaml',
    `gateway: { workers: ${workers} }
identities:
  - name: alice
    groups: [engineers]
    keys: [${JSON.stringify(formatPublicKeyLine(key.publicKey))}]
targets:
  - name: web-1
    host: 127.0.0.1
    port: ${target.port}
    hostKeys: [${JSON.stringify(target.knownHostsLine.split(' ').slice(1).join(' '))}]
`,
  );
  await put('policies/main.cedar', all);

  const environment = {
    ...process.env,
    AWS_REGION: options.region,
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_ACCESS_KEY_ID: options.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: options.credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    ECS_CONTAINER_METADATA_URI_V4: await metadata(),
    SSHTRAIL_NAME: 'x',
    SSHTRAIL_EVENT_SOURCE: 'ssh-proxy.example.com',
    SSHTRAIL_ACCOUNT: '123456789012',
    SSHTRAIL_EVIDENCE_BUCKET: 'evidence',
    SSHTRAIL_JOURNAL_BUCKET: 'journal',
    SSHTRAIL_CONTROL_TABLE: table,
    SSHTRAIL_EVENT_BUS: 'bus',
    SSHTRAIL_LAKE_CHANNEL_PARAMETER: '',
    SSHTRAIL_PARAMETER_PATH: '/sshtrail/x',
    SSHTRAIL_TARGET_AUTHORITY_KEY: 'targets',
    SSHTRAIL_ENGINEER_AUTHORITY_KEY: 'engineers',
    SSHTRAIL_SSH_PORT: '0',
    SSHTRAIL_HEALTH_PORT: '0',
    SSHTRAIL_PROXY_PROTOCOL_RANGES: '',
    SSHTRAIL_MAX_DRAIN_MINUTES: '1',
    SSHTRAIL_NOTICE_TOPIC: topic,
    SSHTRAIL_METRICS_NAMESPACE: 'x',
  };
  // The SDK's clients and the processes that share the port read it there.
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const log: string[] = [];
  const task = await runTask({
    environment,
    version: '1.0.0',
    fetch,
    now: Date.now,
    randomBytes,
    module: join(root, 'proxy-task', 'main.ts'),
    write: (line) => log.push(line),
    policyLookMs: 50,
  });
  let stopped = false;
  const stop = async () => {
    if (!stopped) await task.stop('the test has ended', { graceMs: 0 });
    stopped = true;
  };
  onTestFinished(stop);

  return {
    aws,
    put,
    log,
    stop,
    /** Whether a session is open. */
    async login() {
      const socket = await connectSocket({ host: '127.0.0.1', port: task.address.port, timeoutMs: 30_000 });
      const { transport } = await connectClient({
        link: linkFromSocket(socket),
        user: 'deploy@web-1',
        credentials: [{ method: 'publickey', privateKey: key }],
        verifyHostKey: () => ({ accepted: true }),
      });
      let open = true;
      void transport.ended.then(() => {
        open = false;
      });
      return { isOpen: () => open };
    },
    /** The ends of the names of those that were written to. */
    streams: () => new Set([...s3.objects('journal').keys()].map((name) => /-(w\d+)\//.exec(name)?.[1])),
    /** What was sealed, of all streams. */
    records: () =>
      [...s3.objects('evidence')]
        .filter(([name]) => name.startsWith('events/'))
        .flatMap(([, { body }]) => gunzipSync(body).toString().trim().split('\n'))
        .map((line) => JSON.parse(line) as AuditRecord),
  };
}

async function metadata(): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ TaskARN: `arn:aws:ecs:eu-central-1:123456789012:task/x/${taskId}`, Revision: '1' }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function until(what: string, log: readonly string[], holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not within 20 s: ${what}\n${log.join('\n')}`);
    await sleep(20);
  }
}

const readsPolicies = ({ service, operation }: FakeRequest) =>
  service === 'ssm' && operation === 'GetParametersByPath'
    ? ({ kind: 'answer', ...jsonError(400, 'AccessDeniedException', 'no') } as const)
    : undefined;

test.each([1, 2])(
  'a running task (processes: %i) takes up the policies that stand in Parameter Store, and keeps those it has while it cannot',
  async (workers) => {
    const { aws, put, log, login, stop, streams, records } = await openTask(workers);
    const said = (text: string) => until(text, log, () => log.some((line) => line.includes(text)));
    const readable = aws.inject(readsPolicies);
    await said('so the ones in force stay');
    readable();
    await put(
      'policies/main.cedar',
      `${all}@id("bad") forbid (principal, action, resource) when { context.nonsense };`,
    );
    await said('cannot be used, so the ones before stay');
    const [replaced] = Object.values(cluster.workers ?? {});
    if (replaced !== undefined) {
      replaced.process.kill('SIGKILL');
      await said('starts again with the policies in force');
      await until('its replacement is on record', log, () => streams().has('w3'));
    }
    const sessions = await Promise.all(Array.from({ length: 2 * workers }, login));
    await put(
      'policies/main.cedar',
      `${all}@id("nobody") forbid (principal, action == Action::"connect", resource);`,
    );
    await until('the sessions end', log, () => sessions.every(({ isOpen }) => !isOpen()));
    await expect(login()).rejects.toThrow('policy "nobody" forbids');
    await stop();

    expect(log.find((line) => line.includes('cannot be used'))).toMatch(/main\.cedar:2:\d+ .*nonsense/);
    const changes = records().filter(({ eventName }) => eventName === 'PutPolicy');
    expect(changes).toMatchObject([
      {
        userIdentity: { arn: 'arn:aws:iam::123456789012:user/editor-3' },
        requestParameters: { files: '/sshtrail/x/config/policies/main.cedar', added: 'nobody' },
        additionalEventData: { proxyId: `task-${taskId}` },
      },
    ]);
    const ends = records().filter(({ eventName }) => eventName === 'EndSession');
    expect(ends.map(({ responseElements }) => responseElements)).toEqual(
      ends.map(() =>
        expect.objectContaining({
          endReason: 'PolicyChanged',
          policySha256: changes[0]?.responseElements?.['policySha256'],
        }),
      ),
    );
    expect(ends).toHaveLength(sessions.length);
    const starts = records().filter(({ eventName }) => eventName === 'StartProxy');
    expect(new Set(starts.map(({ requestParameters }) => requestParameters['policySha256']))).toEqual(
      new Set([changes[0]?.responseElements?.['previousSha256']]),
    );
    expect(starts).toHaveLength(workers === 1 ? 1 : workers + 2);
  },
);
