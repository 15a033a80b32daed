import { EC2Client } from '@aws-sdk/client-ec2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSecurityGroups } from '../../../adapters/aws/index.ts';
import { type CheckExposureParts, checkExposure } from '../../../lambdas/check-exposure/check-exposure.ts';
import { createLog } from '../../../lambdas/shared/index.ts';
import { fakeJournal, fakeNotifier, memoryControlStore } from '../../core/runbook/fakes.ts';
import { type FakeRule, fakeSecurityGroups, refusal } from '../../fakes/aws/ec2-security-groups.ts';
import { type FakeRequest, startFakeAws } from '../../fakes/aws/fake-aws.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';

const group = 'sg-0123456789abcdef0';
const otherGroup = 'sg-0123456789abcdef1';
const world: FakeRule = {
  ruleId: 'sgr-0123456789abcdef0',
  groupId: group,
  fromPort: 22,
  toPort: 22,
  cidrIpv4: '0.0.0.0/0',
};
const sweep = { kind: 'sweep' };
const minuteMs = 60_000;

function eventOf(rules: readonly FakeRule[], changes: Readonly<Record<string, unknown>> = {}) {
  const items = rules.map(({ ruleId, groupId, egress = false, protocol = 'tcp', ...rest }) => ({
    ...rest,
    groupId,
    securityGroupRuleId: ruleId,
    isEgress: egress,
    ipProtocol: protocol,
  }));
  return {
    'detail-type': 'AWS API Call via CloudTrail',
    source: 'aws.ec2',
    detail: {
      eventSource: 'ec2.amazonaws.com',
      eventName: 'AuthorizeSecurityGroupIngress',
      userIdentity: { arn: 'arn:aws:iam::123456789012:user/mallory' },
      requestParameters: { groupId: rules[0]?.groupId, ipPermissions: {} },
      responseElements: { _return: true, securityGroupRuleSet: { items } },
      ...changes,
    },
  };
}

/** Security groups with rules in them, and the function that looks at them. */
async function openPlace(rules: readonly FakeRule[], options: { readonly pageSize?: number } = {}) {
  const ec2 = fakeSecurityGroups(options);
  for (const rule of rules) ec2.rules.set(rule.ruleId, rule);
  const aws = await startFakeAws({ services: [ec2] });
  onTestFinished(() => aws.close());
  const client = new EC2Client(clientOptions(aws.endpoint));
  onTestFinished(() => client.destroy());
  const clock = { nowMs: Date.UTC(2026, 10, 20, 12) };
  const control = memoryControlStore(clock);
  const journal = fakeJournal();
  const notifier = fakeNotifier();
  const lines: string[] = [];
  const counts: [string, number][] = [];
  let runs = 0;
  const parts = (): CheckExposureParts => ({
    invocation: { control, journal },
    groups: createSecurityGroups(client),
    notifier,
    allowedGroups: ['sg-00000000000000a11'],
    runId: `run-${++runs}`,
    log: createLog((line) => lines.push(line), {
      function: 'check-exposure',
      requestId: 'r',
      now: () => clock.nowMs,
    }),
    count: (metric, value) => counts.push([metric, value]),
    now: () => clock.nowMs,
  });
  return {
    ec2,
    aws,
    clock,
    control,
    journal,
    notifier,
    counts,
    lines,
    check: (event: unknown, changes: Partial<CheckExposureParts> = {}) =>
      checkExposure(event, { ...parts(), ...changes }),
    events: () =>
      journal.drafts.map(({ eventName, responseElements }) =>
        `${eventName} ${responseElements['outcome'] ?? ''}`.trim(),
      ),
    state: async (ruleId = world.ruleId) => (await control.get('finding', `SSH-013:${ruleId}`))?.data.state,
  };
}

const managed = { 'sshtrail:managed': 'true' };
const calls = (action: string) => (request: FakeRequest) =>
  new URLSearchParams(request.body.toString('utf8')).get('Action') === action;

describe('a rule that opens port 22 to the world', () => {
  it('is taken back where sshtrail manages the group', async () => {
    const place = await openPlace([
      world,
      { ...world, ruleId: 'sgr-0123456789abcdef9', toPort: 21, fromPort: 21 },
    ]);
    place.ec2.tags.set(group, managed);

    const summary = await place.check(eventOf([world]));

    expect(summary).toEqual({ open: 1, closed: [world.ruleId], left: [], unknown: 0 });
    expect(place.ec2.revoked).toEqual([world.ruleId]);
    expect([...place.ec2.rules.keys()]).toEqual(['sgr-0123456789abcdef9']);
    expect(place.events()).toEqual(['DetectCondition', 'ExecuteRunbookStep done']);
    expect(place.journal.drafts[0]).toMatchObject({
      userIdentity: { type: 'ServiceIdentity', userName: 'runbook/SSH-013' },
      requestParameters: { runbookId: 'SSH-013', findingKey: world.ruleId, trigger: 'event', mode: 'live' },
      responseElements: { severity: 'critical' },
    });
    expect(place.journal.drafts[0]?.responseElements['columns']).toContain('user/mallory');
    expect(place.notifier.notices).toHaveLength(1);
    expect(place.notifier.notices[0]).toMatchObject({ severity: 'critical', runbookId: 'SSH-013' });
    expect(place.notifier.notices[0]?.text).toContain('It is closed');
    expect(await place.state()).toBe('acted');
    expect(place.counts).toEqual([['ExposedRules', 1]]);
  });

  it('is left to people where sshtrail does not manage the group, who are told once', async () => {
    const place = await openPlace([world]);

    const first = await place.check(eventOf([world]));
    const second = await place.check(sweep);

    expect(first).toEqual({ open: 1, closed: [], left: [world.ruleId], unknown: 0 });
    expect(second).toEqual(first);
    expect(place.ec2.revoked).toEqual([]);
    expect(place.events()).toEqual(['DetectCondition']);
    expect(place.notifier.notices).toHaveLength(1);
    expect(place.notifier.notices[0]?.text).toContain('exposureAllowedGroups');
    expect(await place.state()).toBe('waiting-approval');
  });

  it('is told again of after a day', async () => {
    const place = await openPlace([world]);

    await place.check(sweep);
    place.clock.nowMs += 24 * 60 * minuteMs + 1;
    await place.check(sweep);

    expect(place.notifier.notices).toHaveLength(2);
  });

  it('is taken back once the group is tagged', async () => {
    const place = await openPlace([world]);
    await place.check(sweep);

    place.ec2.tags.set(group, managed);
    const summary = await place.check(sweep);

    expect(summary.closed).toEqual([world.ruleId]);
    expect(place.events()).toEqual(['DetectCondition', 'ExecuteRunbookStep done']);
    expect(place.notifier.notices).toHaveLength(2);
  });

  it('is found by a sweep in all forms it can have, on every page', async () => {
    const open = [
      world,
      {
        ...world,
        ruleId: 'sgr-00000001',
        fromPort: 0,
        toPort: 65_535,
        cidrIpv4: undefined,
        cidrIpv6: '::/0',
      },
      { ...world, ruleId: 'sgr-00000002', protocol: '-1', fromPort: -1, toPort: -1 },
      { ...world, ruleId: 'sgr-00000003', cidrIpv4: '128.0.0.0/1' },
    ];
    const closed = Array.from({ length: 40 }, (_, n) => ({
      ...world,
      ruleId: `sgr-1000000${n}0`,
      cidrIpv4: '10.0.0.0/8',
    }));
    const others = [
      { ...world, ruleId: 'sgr-20000000', fromPort: 443, toPort: 443 },
      { ...world, ruleId: 'sgr-20000001', egress: true },
      { ...world, ruleId: 'sgr-20000002', groupId: 'sg-00000000000000a11' },
      { ...world, ruleId: 'sgr-20000003', cidrIpv4: undefined, prefixListId: 'pl-0123456789abcdef0' },
    ].map(({ cidrIpv4, ...rest }) => (cidrIpv4 === undefined ? rest : { ...rest, cidrIpv4 }));
    const [one, two, ...rest] = open.map(({ cidrIpv4, ...each }) =>
      cidrIpv4 === undefined ? each : { ...each, cidrIpv4 },
    );
    const place = await openPlace(
      [one, ...closed, two, ...others, ...rest].flatMap((rule) => rule ?? []),
      { pageSize: 7 },
    );
    place.ec2.tags.set(group, managed);

    const summary = await place.check(sweep);

    expect(summary).toMatchObject({ open: 4, closed: open.map(({ ruleId }) => ruleId), unknown: 1 });
    expect([...place.ec2.revoked].sort()).toEqual(open.map(({ ruleId }) => ruleId).sort());
    expect(place.journal.drafts[0]?.requestParameters['trigger']).toBe('schedule');
    expect(place.lines.some((line) => line.includes('pl-0123456789abcdef0'))).toBe(true);
  });

  it('is looked at alone where an event names it', async () => {
    const place = await openPlace([
      world,
      { ...world, ruleId: 'sgr-0123456789abcdef7', groupId: otherGroup },
    ]);
    const request = { GroupId: group, SecurityGroupRule: { SecurityGroupRuleId: world.ruleId } };

    const summary = await place.check(
      eventOf([], {
        eventName: 'ModifySecurityGroupRules',
        requestParameters: { ModifySecurityGroupRulesRequest: request },
        responseElements: { _return: true },
      }),
    );

    expect(summary.left).toEqual([world.ruleId]);
  });

  it('is closed again when it was changed and opened again', async () => {
    const place = await openPlace([world]);
    place.ec2.tags.set(group, managed);

    await place.check(eventOf([world]));
    place.ec2.rules.set(world.ruleId, world);
    await place.check(sweep);

    expect(place.ec2.revoked).toEqual([world.ruleId, world.ruleId]);
    expect(place.events()).toEqual([
      'DetectCondition',
      'ExecuteRunbookStep done',
      'DetectCondition',
      'ExecuteRunbookStep done',
    ]);
    expect(place.notifier.notices).toHaveLength(2);
  });
});

describe('delivered twice', () => {
  it.each([
    ['one after the other', false],
    ['at once', true],
  ])('%s, everything happens once', async (_, atOnce) => {
    const place = await openPlace([world]);
    place.ec2.tags.set(group, managed);

    const first = place.check(eventOf([world]));
    if (!atOnce) await first;
    const second = place.check(eventOf([world]));
    await Promise.all([first, second]);

    expect(place.ec2.revoked).toEqual([world.ruleId]);
    expect(place.events()).toEqual(['DetectCondition', 'ExecuteRunbookStep done']);
    expect(place.notifier.notices).toHaveLength(1);
  });
});

describe('a rule that is not there any more', () => {
  it('is on record as it was opened, and nobody is called', async () => {
    const place = await openPlace([]);

    const summary = await place.check(eventOf([world]));

    expect(summary).toEqual({ open: 0, closed: [], left: [], unknown: 0 });
    expect(place.events()).toEqual(['DetectCondition', 'ExecuteRunbookStep not-needed']);
    expect(place.notifier.notices).toEqual([]);
    expect(await place.state()).toBe('acted');
  });

  it('is not taken back when it went just before', async () => {
    const place = await openPlace([world]);
    place.ec2.tags.set(group, managed);
    place.aws.inject((request) => {
      if (calls('DescribeSecurityGroups')(request)) place.ec2.rules.delete(world.ruleId);
      return undefined;
    });

    await place.check(eventOf([world]));

    expect(place.ec2.revoked).toEqual([]);
    expect(place.events()).toEqual(['DetectCondition', 'ExecuteRunbookStep not-needed']);
    expect(await place.state()).toBe('acted');
  });

  it('is not taken back when it was narrowed just before', async () => {
    const place = await openPlace([world]);
    place.ec2.tags.set(group, managed);
    place.aws.inject((request) => {
      if (calls('DescribeSecurityGroups')(request))
        place.ec2.rules.set(world.ruleId, { ...world, cidrIpv4: '203.0.113.0/24' });
      return undefined;
    });

    await place.check(eventOf([world]));

    expect(place.ec2.revoked).toEqual([]);
    expect(place.ec2.rules.has(world.ruleId)).toBe(true);
  });

  it('is not taken back when it went as it was asked for', async () => {
    const place = await openPlace([world]);
    place.ec2.tags.set(group, managed);
    place.aws.inject((request) => {
      if (calls('RevokeSecurityGroupIngress')(request)) place.ec2.rules.delete(world.ruleId);
      return undefined;
    });

    const summary = await place.check(eventOf([world]));

    expect(summary.closed).toEqual([world.ruleId]);
    expect(place.events()).toEqual(['DetectCondition', 'ExecuteRunbookStep not-needed']);
  });

  it('ends its finding, also where people were to close it', async () => {
    const place = await openPlace([world]);
    await place.check(sweep);

    place.ec2.rules.clear();
    await place.check(sweep);
    await place.check(sweep);

    expect(place.events()).toEqual(['DetectCondition', 'ExecuteRunbookStep not-needed']);
    expect(place.notifier.notices).toHaveLength(1);
    expect(await place.state()).toBe('acted');
  });
});

describe('a fault', () => {
  it('of the right to revoke is told, with what is missing, and tried again', async () => {
    const place = await openPlace([world]);
    place.ec2.tags.set(group, managed);
    const restore = place.aws.inject((request) =>
      calls('RevokeSecurityGroupIngress')(request)
        ? { kind: 'answer', ...refusal('UnauthorizedOperation', 'You are not authorized.', 403) }
        : undefined,
    );

    await expect(place.check(eventOf([world]))).rejects.toMatchObject({
      code: 'incomplete',
      message: expect.stringContaining('ec2:RevokeSecurityGroupIngress'),
    });
    await expect(place.check(eventOf([world]))).rejects.toMatchObject({ code: 'incomplete' });
    expect(place.notifier.notices).toHaveLength(1);
    expect(place.notifier.notices[0]?.text).toContain('could not be closed');
    expect(await place.state()).toBe('failed');

    restore();
    await place.check(sweep);
    expect(place.ec2.revoked).toEqual([world.ruleId]);
    expect(place.events()).toEqual([
      'DetectCondition',
      'ExecuteRunbookStep failed',
      'ExecuteRunbookStep failed',
      'ExecuteRunbookStep done',
    ]);
    expect(place.notifier.notices).toHaveLength(2);
  });

  it('of the right to look is told', async () => {
    const place = await openPlace([world]);
    place.aws.inject(() => ({ kind: 'answer', ...refusal('UnauthorizedOperation', 'no', 403) }));

    await expect(place.check(sweep)).rejects.toMatchObject({
      name: 'SecurityGroupsError',
      code: 'unreadable',
      message: expect.stringContaining('lacks ec2:DescribeSecurityGroupRules'),
    });
  });

  it('that passes is got over', async () => {
    const place = await openPlace([world]);
    place.ec2.tags.set(group, managed);
    let left = 3;
    place.aws.inject(() =>
      left-- > 0
        ? { kind: 'answer', ...refusal('RequestLimitExceeded', 'Request limit exceeded.', 503) }
        : undefined,
    );

    await place.check(sweep);

    expect(place.ec2.revoked).toEqual([world.ruleId]);
  });

  it('of the notices leaves the rule closed, and people are told by the next sweep', async () => {
    const place = await openPlace([world]);
    place.ec2.tags.set(group, managed);
    place.notifier.failure = new Error('the topic is gone');

    await expect(place.check(eventOf([world]))).rejects.toThrow('the topic is gone');
    expect(place.ec2.revoked).toEqual([world.ruleId]);

    place.notifier.failure = undefined;
    await place.check(sweep);
    expect(place.notifier.notices).toHaveLength(1);
    expect(await place.state()).toBe('acted');
  });

  it('of the journal stops before anything is done', async () => {
    const place = await openPlace([world]);
    place.ec2.tags.set(group, managed);
    place.journal.failure = new Error('the bucket is gone');

    await expect(place.check(eventOf([world]))).rejects.toThrow('the bucket is gone');
    expect(place.ec2.revoked).toEqual([]);

    place.journal.failure = undefined;
    place.clock.nowMs += 3 * minuteMs;
    await place.check(sweep);
    expect(place.ec2.revoked).toEqual([world.ruleId]);
  });

  it('with one rule does not stop the others', async () => {
    const other = { ...world, ruleId: 'sgr-0123456789abcdef7', groupId: otherGroup };
    const place = await openPlace([world, other]);
    place.ec2.tags.set(group, managed).set(otherGroup, managed);
    place.aws.inject((request) =>
      calls('RevokeSecurityGroupIngress')(request) && request.body.includes(group)
        ? { kind: 'answer', ...refusal('UnauthorizedOperation', 'no', 403) }
        : undefined,
    );

    await expect(place.check(sweep)).rejects.toMatchObject({ code: 'incomplete' });

    expect(place.ec2.revoked).toEqual([other.ruleId]);
  });
});

describe('what is no reason to look', () => {
  it('is a call that failed', async () => {
    const place = await openPlace([world]);

    const summary = await place.check(eventOf([world], { errorCode: 'Client.UnauthorizedOperation' }));

    expect(summary).toEqual({ open: 0, closed: [], left: [], unknown: 0 });
    expect(place.aws.calls).toEqual([]);
    expect(place.events()).toEqual([]);
  });

  it.each([
    ['nothing', undefined],
    ['text', 'sweep'],
    ['another kind', { kind: 'sleep' }],
    ['an event of another service', eventOf([world], { eventSource: 'iam.amazonaws.com' })],
  ])('is %s, which is refused', async (_, event) => {
    const place = await openPlace([world]);

    await expect(place.check(event)).rejects.toMatchObject({ name: 'FunctionError', code: 'bad-request' });
  });
});
