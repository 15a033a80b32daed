import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deploymentVariables, type Workload } from '../../core/contract/index.ts';
import { permissionsOf, type Resources } from '../../lib/permissions/index.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { actionsOfCall, entryOf, implied, sdkCallsOf } from './sdk-calls.ts';

const on: Resources = {
  evidenceBucket: 'arn:aws:s3:::evidence',
  journalBucket: 'arn:aws:s3:::journal',
  dataKey: 'arn:aws:kms:eu-central-1:123456789012:key/data',
  controlTable: 'arn:aws:dynamodb:eu-central-1:123456789012:table/control',
  engineerAuthority: 'arn:aws:kms:eu-central-1:123456789012:key/engineers',
  targetAuthority: 'arn:aws:kms:eu-central-1:123456789012:key/targets',
  evidenceKey: 'arn:aws:kms:eu-central-1:123456789012:key/evidence',
  eventBus: 'arn:aws:events:eu-central-1:123456789012:event-bus/sshtrail',
  noticeTopic: 'arn:aws:sns:eu-central-1:123456789012:notices',
  workgroup: 'arn:aws:athena:eu-central-1:123456789012:workgroup/sshtrail',
  partition: 'aws',
  region: 'eu-central-1',
  account: '123456789012',
  name: 'sshtrail',
  glueDatabase: 'sshtrail',
  cluster: 'arn:aws:ecs:eu-central-1:123456789012:cluster/sshtrail',
  accountTrailBucket: 'arn:aws:s3:::trail',
  accountTrailKey: 'arn:aws:kms:eu-central-1:123456789012:key/trail',
  signingAlgorithm: 'ECDSA_SHA_256',
  lakeChannels: ['arn:aws:cloudtrail:eu-central-1:123456789012:channel/*'],
  eventDataStores: ['arn:aws:cloudtrail:eu-central-1:123456789012:eventdatastore/*'],
};
const workloads: readonly Workload[] = Object.keys(deploymentVariables).filter(
  (name): name is Workload => name in deploymentVariables,
);

function actionsNeeded(calls: ReadonlySet<string>): ReadonlySet<string> {
  return new Set(
    [...calls].flatMap((call) => {
      const actions = actionsOfCall[call];
      if (actions === undefined) throw new Error(`sdk-calls.ts does not say what IAM calls ${call}`);
      return actions;
    }),
  );
}

function actionsAllowed(workload: Workload): ReadonlySet<string> {
  return new Set(permissionsOf(workload, on).flatMap(({ actions }) => actions));
}

describe.each(workloads)('the role of %s', (workload) => {
  it('may do what its code calls, and nothing else', async () => {
    const needed = actionsNeeded(await sdkCallsOf(entryOf(workload)));
    const allowed = actionsAllowed(workload);

    expect([...needed].filter((action) => !allowed.has(action))).toEqual([]);
    expect([...allowed].filter((action) => !needed.has(action) && !Object.hasOwn(implied, action))).toEqual(
      [],
    );
  });

  it('says why, statement by statement, and names what it is about', () => {
    for (const { sid, reason, resources } of permissionsOf(workload, on)) {
      expect(reason.length, sid).toBeGreaterThan(20);
      if (resources.includes('*')) expect(reason, sid).toMatch(/knows? no resources/);
    }
  });

  it('has no statement twice', () => {
    const sids = permissionsOf(workload, on).map(({ sid }) => sid);

    expect(new Set(sids).size).toBe(sids.length);
  });
});

describe('the look at the calls', () => {
  it('bites: a call that is planted behind a real handler is found', async () => {
    const planted = join(temporaryFolder(), 'planted.ts');
    const handler = entryOf('control-api');
    writeFileSync(
      planted,
      `import { DeleteBucketCommand } from '@aws-sdk/client-s3';
export { handler } from ${JSON.stringify(handler)};
export const call = () => new DeleteBucketCommand({ Bucket: 'x' });
`,
    );

    const calls = await sdkCallsOf(planted, planted);

    expect([...calls].filter((call) => call !== 'DeleteBucket').sort()).toEqual(
      [...(await sdkCallsOf(handler))].sort(),
    );
    expect(calls.has('DeleteBucket')).toBe(true);
    expect(() => actionsNeeded(calls)).toThrow('DeleteBucket');
  });

  it('bites: calls by paginators and waiters are found, and code that nobody reaches is not', async () => {
    const planted = join(temporaryFolder(), 'planted.ts');
    writeFileSync(
      planted,
      `import { DeleteBucketCommand, paginateListObjectsV2, waitUntilObjectExists } from '@aws-sdk/client-s3';
const unreached = () => new DeleteBucketCommand({ Bucket: 'x' });
export const list = (client) => paginateListObjectsV2({ client }, { Bucket: 'x' });
export const wait = (client) => waitUntilObjectExists({ client, maxWaitTime: 1 }, { Bucket: 'x', Key: 'y' });
`,
    );

    const calls = await sdkCallsOf(planted, planted);

    expect([...calls].sort()).toEqual(['ListObjectsV2', 'waitUntilObjectExists']);
    expect(() => actionsNeeded(calls)).toThrow('waitUntilObjectExists');
  });

  it('knows only one role that signs for engineers, one that signs for targets, and one that signs evidence', () => {
    const signers = (key: string) =>
      workloads.filter((workload) =>
        permissionsOf(workload, on).some(
          ({ actions, resources }) => actions.includes('kms:Sign') && resources.includes(key),
        ),
      );

    expect(signers(on.engineerAuthority)).toEqual(['issue-certificate']);
    expect(signers(on.targetAuthority)).toEqual(['gateway']);
    expect(signers(on.evidenceKey)).toEqual(['seal']);
  });

  it('lets those who only write events see no recording and no finding', () => {
    const seen = (workload: Workload) =>
      permissionsOf(workload, on)
        .filter(({ actions }) => actions.includes('s3:GetObject') || actions.includes('s3:PutObject'))
        .flatMap(({ resources }) => resources)
        .filter((resource) => !resource.startsWith('arn:aws:s3:::trail'));

    for (const workload of ['issue-certificate', 'control-api', 'check-exposure'] as const)
      expect(new Set(seen(workload)), workload).toEqual(
        new Set(['arn:aws:s3:::evidence/events/*', 'arn:aws:s3:::journal/journal/*']),
      );
    expect(seen('act')).not.toContain('arn:aws:s3:::evidence/recordings/*');
    expect(seen('run-runbook')).not.toContain('arn:aws:s3:::evidence/recordings/*');
  });

  it('removes from the journal only', () => {
    const removes = workloads
      .flatMap((workload) => permissionsOf(workload, on))
      .filter(({ actions }) => actions.some((action) => action.startsWith('s3:Delete')))
      .flatMap(({ resources }) => resources);

    expect(removes.length).toBeGreaterThan(0);
    expect(removes.filter((resource) => !resource.startsWith('arn:aws:s3:::journal/'))).toEqual([]);
  });

  it('asks nothing of CloudTrail Lake where that is off', () => {
    const off = { ...on, lakeChannels: [], eventDataStores: [] };
    const withoutProvision = workloads.filter((workload) => workload !== 'provision-lake');

    const actions = withoutProvision.flatMap((workload) =>
      permissionsOf(workload, off).flatMap((permission) => permission.actions),
    );

    expect(actions.filter((action) => action.startsWith('cloudtrail'))).toEqual([]);
  });

  it('takes no wildcard in an action', () => {
    for (const workload of workloads)
      for (const { actions } of permissionsOf(workload, on)) expect(actions.join()).not.toContain('*');
  });
});
