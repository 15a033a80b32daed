import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { AuditDraft, AuditRecord } from '#core/contract';
import { loadPolicy, type PolicySet } from '#core/policy';
import { keepPolicy, type ReadPolicies } from '../../proxy-task/policy-keeper.ts';

const all = '@id("all") permit (principal, action, resource);';

function policyOf(text: string): PolicySet {
  const loaded = loadPolicy([{ file: 'policy.cedar', text }]);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.policy;
}

function read(text: string): ReadPolicies {
  return { sources: [{ file: 'policy.cedar', text }], writtenBy: async () => 'carol' };
}

/** A keeper whose sources answer one after another, and then with no change. */
function keeper(answers: readonly (ReadPolicies | Error | undefined)[], journalFaults = 0) {
  const left = [...answers];
  let faults = journalFaults;
  const reports: string[] = [];
  const drafts: AuditDraft[] = [];
  const inForce: string[] = [];
  const initial = policyOf(all);
  const kept = keepPolicy({
    initial,
    everyMs: 1,
    proxy: { proxyId: 'gateway-1', version: '1' },
    now: () => 1_800_000_000_000,
    report: (line) => reports.push(line),
    sources: {
      async readChanged() {
        const next = left.shift();
        if (next instanceof Error) throw next;
        return next;
      },
    },
    journal: {
      async record(draft) {
        faults -= 1;
        if (faults >= 0) throw new Error('the disk is full');
        drafts.push(draft);
        inForce.push(kept.current().version);
        return draft as unknown as AuditRecord;
      },
    },
  });
  onTestFinished(() => kept.close());
  return {
    kept,
    initial,
    reports,
    drafts,
    inForce,
    async done() {
      const deadline = Date.now() + 5_000;
      while (left.length > 0 && Date.now() < deadline) await sleep(1);
      await kept.close();
    },
  };
}

test('policies that changed count once that is on record, with what changed and by whom', async () => {
  const after =
    '@id("all") permit (principal, action, resource);\n@id("no-root") forbid (principal, action, resource) when { context.login == "root" };';
  const { kept, initial, drafts, inForce, reports, done } = keeper([undefined, read(after)]);

  await done();

  expect(kept.current().version).toBe(policyOf(after).version);
  expect(inForce).toEqual([initial.version]);
  expect(drafts).toMatchObject([
    {
      eventName: 'PutPolicy',
      userIdentity: { type: 'LocalUser', userName: 'carol' },
      requestParameters: { files: 'policy.cedar', added: 'no-root' },
      responseElements: { policySha256: policyOf(after).version, previousSha256: initial.version },
    },
  ]);
  expect(reports.join()).toContain('new policies are in force: 2');
});

test('policies that cannot be used are reported with their place, and the good ones stay', async () => {
  const { kept, initial, drafts, reports, done } = keeper([
    read(
      '@id("all") permit (principal, action, resource);\n@id("b") forbid (principal, action, resource) when { context.mfaa };',
    ),
    read(''),
    read('@id("all") @idle_timeout("soon") permit (principal, action, resource);'),
  ]);

  await done();

  expect(kept.current()).toBe(initial);
  expect(drafts).toEqual([]);
  expect(reports).toHaveLength(3);
  expect(reports[0]).toMatch(/stay:\npolicy\.cedar:2:\d+ .*mfaa/);
  expect(reports[1]).toContain('policy.cedar:1:1 there is no policy');
  expect(reports[2]).toContain('policy.cedar:1:12 @idle_timeout');
});

test('what cannot be read is reported once, and the policies stay until it can', async () => {
  const gone = new Error('cannot read policy.cedar (ENOENT)');
  const { kept, drafts, reports, done } = keeper([
    gone,
    gone,
    gone,
    read(`${all}\n@id("x") forbid (principal, action, resource);`),
  ]);

  await done();

  expect(reports.filter((line) => line.includes('ENOENT'))).toHaveLength(1);
  expect(drafts).toHaveLength(1);
  expect(kept.current().policies).toHaveLength(2);
});

test('what could not be put on record is tried until it is, and counts then alone', async () => {
  const { kept, initial, drafts, reports, done } = keeper(
    [read(`${all}\n@id("x") forbid (principal, action, resource);`), undefined, undefined, undefined],
    2,
  );
  const told: string[] = [];
  kept.onChange(() => told.push(kept.current().version));

  await done();

  expect(drafts).toHaveLength(1);
  expect(kept.current()).not.toBe(initial);
  expect(told).toEqual([kept.current().version]);
  expect(reports.filter((line) => line.includes('the disk is full'))).toHaveLength(1);
});

test('why those that stand there are not in force can be told until they are good again', async () => {
  const { kept, initial, reports, done } = keeper([read('nonsense'), read(all)]);
  const problems: (string | undefined)[] = [];
  const before = reports.push.bind(reports);
  reports.push = (line) => {
    problems.push(kept.problem());
    return before(line);
  };

  await done();

  expect(problems).toEqual([expect.stringMatching(/^policy\.cedar:1:\d+ /), undefined]);
  expect(reports[1]).toBe('the policies can be used again, and are those in force');
  expect(kept.current()).toBe(initial);
});

test('the same policies in other words of a file are no change', async () => {
  const { drafts, done } = keeper([read(`// a comment\n${all}\n`)]);

  await done();

  expect(drafts).toEqual([]);
});

test('an author whom AWS names is one of AWS', async () => {
  const arn = 'arn:aws:sts::123456789012:assumed-role/Admin/carol';
  const { drafts, done } = keeper([
    {
      sources: [
        {
          file: '/sshtrail/x/config/policies/a.cedar',
          text: `${all}\n@id("x") forbid (principal, action, resource);`,
        },
      ],
      writtenBy: async () => arn,
    },
  ]);

  await done();

  expect(drafts[0]?.userIdentity).toEqual({
    type: 'AssumedRole',
    principalId: arn,
    userName: 'carol',
    arn,
    accountId: '123456789012',
  });
});
