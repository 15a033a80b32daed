import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deploymentVariables, type Workload } from '../../core/contract/index.ts';
import { permissionsOf, type Resources } from '../../lib/permissions.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { actionsOfCall, entryOf, implied, sdkCallsOf } from './sdk-calls.ts';

const on: Resources = {
  evidenceBucket: 'arn:aws:s3:::evidence',
  journalBucket: 'arn:aws:s3:::journal',
  dataKey: 'arn:aws:kms:eu-central-1:123456789012:key/data',
  controlTable: 'arn:aws:dynamodb:eu-central-1:123456789012:table/control',
  engineerAuthority: 'arn:aws:kms:eu-central-1:123456789012:key/engineers',
  targetAuthority: 'arn:aws:kms:eu-central-1:123456789012:key/targets',
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
  it('bites: a call that is planted is found', async () => {
    const folder = join(temporaryFolder(), 'lambdas');
    mkdirSync(folder);
    const entry = join(import.meta.dirname, '..', '..', 'lambdas', 'control-api', 'handler.ts');
    const planted = join(folder, 'planted.ts');
    writeFileSync(
      planted,
      `import { DeleteBucketCommand } from '@aws-sdk/client-s3';\nexport const call = () => new DeleteBucketCommand({ Bucket: 'x' });\nexport { handler } from ${JSON.stringify(entry)};\n`,
    );

    const calls = await sdkCallsOf(entry);

    expect(calls.has('UpdateItem')).toBe(true);
    expect(calls.has('DeleteBucket')).toBe(false);
    expect(() => actionsNeeded(new Set(['DeleteBucket']))).toThrow('DeleteBucket');
  });

  it('knows only one role that signs for engineers and one that signs for targets', () => {
    const signers = (key: string) =>
      workloads.filter((workload) =>
        permissionsOf(workload, on).some(
          ({ actions, resources }) => actions.includes('kms:Sign') && resources.includes(key),
        ),
      );

    expect(signers(on.engineerAuthority)).toEqual(['issue-certificate']);
    expect(signers(on.targetAuthority)).toEqual(['gateway']);
  });
});
