import { DescribeInstancesCommand, DescribeSecurityGroupRulesCommand, EC2Client } from '@aws-sdk/client-ec2';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { combineInventories, type Ec2InventoryOptions } from '../../../../adapters/aws/inventory/index.ts';
import type { Target } from '../../../../core/contract/index.ts';
import { createStaticInventory } from '../../../../core/inventory/index.ts';
import { exampleTargets, inventoryConformance } from '../../../conformance/inventory.ts';
import { fakeEc2 } from '../../../fakes/aws/ec2.ts';
import { refusal } from '../../../fakes/aws/ec2-security-groups.ts';
import { awsEndpoints, clientOptions } from '../../../support/aws-endpoints.ts';
import { ec2Place, hostKey } from './ec2-place.ts';

const ec2 = fakeEc2({ pageSize: 7 });
const endpoints = await awsEndpoints(ec2);
const fakeEndpoint = endpoints[0]?.endpoint ?? '';
const opened = (endpoint = fakeEndpoint) => ec2Place(endpoint, endpoint === fakeEndpoint ? ec2 : undefined);

inventoryConformance('two inventories combined', async (targets) =>
  combineInventories(createStaticInventory(targets.slice(0, 1)), createStaticInventory(targets.slice(1))),
);
inventoryConformance('a configured inventory before one of EC2', async (targets) =>
  combineInventories(createStaticInventory(targets), (await opened()).inventory()),
);

describe.each(endpoints)('over $name', ({ endpoint }) => {
  it('makes a target of a running instance with the tags', async () => {
    const place = await opened(endpoint);
    const id = await place.start({ tags: { Name: 'Web-1', env: 'prod', other: 'x' } });
    const host = await place.addressOf(id);

    const target = await place.inventory().find('web-1');

    expect(target).toEqual({
      name: 'web-1',
      host,
      port: 22,
      labels: {
        env: 'prod',
        'ec2/instance-id': id,
        'ec2/zone': expect.stringMatching(/^[a-z]{2}-[a-z]+-\d[a-z]$/),
      },
      hostTrust: { kind: 'authority', keys: [hostKey], principals: ['web-1', id, host] },
      instance: { id, dial: 'direct', auth: 'certificate' },
    });
    expect(place.faults).toEqual([]);
  });

  it('finds an instance by its id, and lists it once, by its name', async () => {
    const place = await opened(endpoint);
    const id = await place.start({ tags: { Name: 'web-1' } });
    const inventory = place.inventory();

    expect(await inventory.find(id)).toEqual(await inventory.find('web-1'));
    expect((await inventory.list()).map(({ name }) => name)).toEqual(['web-1']);
    expect(await inventory.find('i-0123456789abcdef0')).toBeUndefined();
    expect(await inventory.find('WEB-1')).toBeUndefined();
    expect(await inventory.find('__proto__')).toBeUndefined();
  });

  it('sees neither stopped instances nor those without all of the tags', async () => {
    const place = await opened(endpoint);
    await place.start({ tags: { Name: 'stopped', team: 'a' }, stopped: true });
    await place.start({ tags: { Name: 'other-team', team: 'b' } });
    await place.start({ tags: { Name: 'no-team' } });
    await place.start({ tags: { Name: 'mine', team: 'a' } });

    const targets = await place.inventory({ selectTags: { mark: place.mark, team: 'a' } }).list();

    expect(targets.map(({ name }) => name)).toEqual(['mine']);
  });

  it.each([
    ['*', 'anything'],
    ['prod*', 'production'],
    ['p?od', 'prod'],
  ])('takes the wanted value %s for what it says, not for a pattern', async (value, other) => {
    const place = await opened(endpoint);
    await place.start({ tags: { Name: 'pattern', env: other } });
    await place.start({ tags: { Name: 'itself', env: value } });

    const targets = await place.inventory({ selectTags: { mark: place.mark, env: value } }).list();

    expect(targets.map(({ name }) => name)).toEqual(['itself']);
  });

  it('leaves out names that are none and names that two have, and says so once', async () => {
    const place = await opened(endpoint);
    const [bad, nameless] = [
      await place.start({ tags: { Name: 'web 1' } }),
      await place.start({ tags: { env: 'prod' } }),
    ];
    await place.start({ tags: { Name: 'twin' } });
    const twin = await place.start({ tags: { Name: 'TWIN' } });
    await place.start({ tags: { Name: 'good' } });
    const inventory = place.inventory({}, 0);

    const targets = await inventory.list();
    await inventory.list();

    expect(targets.map(({ name }) => name)).toEqual(['good']);
    expect(await inventory.find('twin')).toBeUndefined();
    expect(await inventory.find(twin)).toBeUndefined();
    expect([...place.faults].sort()).toEqual(
      [
        `${bad} is no target: its tag Name gives no name; use a-z, 0-9 and . _ -, beginning with a letter or digit`,
        `${nameless} is no target: its tag Name gives no name; use a-z, 0-9 and . _ -, beginning with a letter or digit`,
        'more than one instance is named twin, so none is a target by that name; rename them',
      ].sort(),
    );
  });

  it('asks again only when its answer is old', async () => {
    const place = await opened(endpoint);
    const inventory = place.inventory();
    await inventory.list();
    await place.start({ tags: { Name: 'late' } });

    place.clock.nowMs += 59_999;
    const before = await inventory.find('late');
    place.clock.nowMs += 1;
    const after = await inventory.find('late');

    expect(before).toBeUndefined();
    expect(after?.name).toBe('late');
  });
});

describe('createEc2Inventory', () => {
  it('reads all pages', async () => {
    const place = await opened();
    for (let index = 0; index < 30; index += 1) await place.start({ tags: { Name: `n-${index}` } });
    const before = place.front.calls.length;

    const targets = await place.inventory().list();

    expect(targets).toHaveLength(30);
    expect(place.front.calls.length).toBe(before + 5);
  });

  it('asks once for all who wait', async () => {
    const place = await opened();
    await place.start({ tags: { Name: 'web-1' } });
    const inventory = place.inventory();

    const found = await Promise.all(Array.from({ length: 20 }, () => inventory.find('web-1')));

    expect(found.every((target) => target?.name === 'web-1')).toBe(true);
    expect(place.front.calls).toHaveLength(1);
  });

  it('serves what it knew for a quarter of an hour where EC2 does not answer, and then nothing, and says so', async () => {
    const place = await opened();
    await place.start({ tags: { Name: 'web-1' } });
    const inventory = place.inventory();
    await inventory.list();
    const heal = place.front.inject(() => ({
      kind: 'answer',
      ...refusal('UnauthorizedOperation', 'You are not authorized', 403),
    }));

    place.clock.nowMs += 900_000;
    const stale = await inventory.find('web-1');
    place.clock.nowMs += 10_001;
    const finding = inventory.find('web-1');

    expect(stale?.name).toBe('web-1');
    await expect(finding).rejects.toMatchObject({ name: 'InventoryError', code: 'unreadable' });
    await expect(finding).rejects.toThrow(
      /the instances could not be read: the role here lacks ec2:DescribeInstances/,
    );
    await expect(inventory.list()).rejects.toMatchObject({ code: 'unreadable' });
    place.clock.nowMs += 10_000;
    await expect(inventory.list()).rejects.toMatchObject({ code: 'unreadable' });
    expect(place.faults).toEqual([
      expect.stringMatching(/could not be read/),
      expect.stringMatching(/could not be read/),
      'EC2 has not answered for 15 minutes, so that its instances are refused as targets until it does; look at the role and the network',
      expect.stringMatching(/could not be read/),
    ]);
    heal();
    place.clock.nowMs += 10_000;
    expect((await inventory.find('web-1'))?.name).toBe('web-1');
    expect(place.faults.at(-1)).toBe('the instances can be read again');
  });

  it('knows what a target was that has gone, by its name and by its id', async () => {
    const place = await opened();
    const id = await place.start({ tags: { Name: 'web-1' } });
    const inventory = place.inventory();
    await inventory.list();
    ec2.instances.delete(id);

    place.clock.nowMs += 60_000;
    const found = await inventory.find('web-1');

    const was = `it was the instance ${id} at 2027-01-15T08:00Z, which does not run any more or has lost its tags`;
    expect(found).toBeUndefined();
    expect(inventory.missing?.('web-1')).toBe(was);
    expect(inventory.missing?.(id)).toBe(was);
    expect(inventory.missing?.('web-2')).toBeUndefined();
    expect(inventory.missing?.('__proto__')).toBeUndefined();
    place.clock.nowMs += 86_400_001;
    await inventory.list();
    expect(inventory.missing?.('web-1')).toBeUndefined();
  });

  it('knows that a name has gone over to another instance', async () => {
    const place = await opened();
    const old = await place.start({ tags: { Name: 'web-1' } });
    const inventory = place.inventory();
    await inventory.list();
    ec2.instances.delete(old);
    const fresh = await place.start({ tags: { Name: 'web-1' } });

    place.clock.nowMs += 60_000;
    const found = await inventory.find('web-1');

    expect(found?.instance?.id).toBe(fresh);
    expect(inventory.missing?.('web-1')).toBeUndefined();
    expect(inventory.missing?.(old)).toContain(`it was the instance ${old}`);
  });

  it('knows why an instance is no target', async () => {
    const place = await opened();
    const id = await place.start({ tags: { Name: 'web-1' } });
    await place.start({ tags: { Name: 'twin' } });
    await place.start({ tags: { Name: 'twin' } });
    const inventory = place.inventory({ address: 'public' });
    await inventory.list();
    const doubled = place.inventory();
    await doubled.list();

    expect(inventory.missing?.('web-1')).toBe(`${id} is none: it has no public address`);
    expect(inventory.missing?.(id)).toBe('it has no public address');
    expect(doubled.missing?.('twin')).toMatch(/^more than one instance is named twin/);
  });

  it('does not make everybody wait for an EC2 that is away', async () => {
    const place = await opened();
    await place.start({ tags: { Name: 'web-1' } });
    const inventory = place.inventory();
    await inventory.list();
    place.front.inject(() => ({ kind: 'answer', ...refusal('UnauthorizedOperation', 'no', 403) }));
    place.clock.nowMs += 60_000;

    for (let count = 0; count < 10; count += 1) await inventory.find('web-1');
    const calls = place.front.calls.length;
    place.clock.nowMs += 10_000;
    await inventory.find('web-1');

    expect(calls).toBe(2);
    expect(place.front.calls).toHaveLength(3);
    expect(place.faults).toHaveLength(2);
  });

  it('rejects at once where it never knew anything', async () => {
    const place = await opened();
    place.front.inject(() => ({ kind: 'answer', ...refusal('UnauthorizedOperation', 'no', 403) }));

    await expect(place.inventory().find('web-1')).rejects.toMatchObject({ code: 'unreadable' });
  });

  it.each([
    [400, 'RequestLimitExceeded'],
    [503, 'Unavailable'],
    [500, 'InternalError'],
  ])('tries again after %i %s', async (status, code) => {
    const place = await opened();
    await place.start({ tags: { Name: 'web-1' } });
    let left = 2;
    place.front.inject(() =>
      left-- > 0 ? { kind: 'answer', ...refusal(code, 'later', status) } : undefined,
    );

    expect((await place.inventory().find('web-1'))?.name).toBe('web-1');
    expect(place.faults).toEqual([]);
  });

  it('gives up where EC2 goes on with the same page', async () => {
    const place = await opened();
    place.front.inject(() => ({
      kind: 'answer',
      status: 200,
      headers: { 'content-type': 'text/xml' },
      body: '<DescribeInstancesResponse><reservationSet/><nextToken>same</nextToken></DescribeInstancesResponse>',
    }));

    await expect(place.inventory().list()).rejects.toThrow(/goes on with the same page/);
    expect(place.front.calls).toHaveLength(2);
  });

  it('lets no tag take the id of another instance', async () => {
    const place = await opened();
    const victim = await place.start({ tags: { Name: 'victim' } });
    const attacker = await place.start({ tags: { Name: victim } });
    const inventory = place.inventory();

    expect((await inventory.find(victim))?.name).toBe('victim');
    expect(await inventory.find(attacker)).toBeUndefined();
    expect(place.faults).toEqual([
      expect.stringMatching(`^${attacker} is no target: .* is an instance's id`),
    ]);
  });

  it('lets no tag say what EC2 itself vouches for, nor which host keys to trust', async () => {
    const place = await opened();
    const tags = { 'ec2/instance-id': 'i-1', 'ec2/zone': 'z', 'ec2/else': 'x', hostKey: 'ssh-ed25519 AAAA' };
    const id = await place.start({ tags: { Name: 'web-1', ...tags } });

    const target = await place.inventory({ labelTags: Object.keys(tags) }).find('web-1');

    expect(target?.labels).toEqual({
      'ec2/instance-id': id,
      'ec2/zone': 'eu-central-1a',
      hostKey: 'ssh-ed25519 AAAA',
    });
    expect(target?.hostTrust).toMatchObject({ kind: 'authority', keys: [hostKey] });
  });

  it.each([
    ['without a host authority', {}, { hostAuthority: undefined }, /set ec2Inventory\.hostAuthority/],
    ['without the address', {}, { address: 'public' }, /it has no public address/],
    ['whose label hides something', { env: 'pr\u202eod' }, {}, /has invisible characters/],
    ['whose accounts are none', { logins: 'root;id' }, {}, /its tag logins has something else than accounts/],
  ] as const)('leaves out an instance %s', async (_name, tags, changes, why) => {
    const place = await opened();
    await place.start({ tags: { Name: 'web-1', ...tags } });
    const inventory = place.inventory({ loginsTag: 'logins', ...changes });

    expect(await inventory.find('web-1')).toBeUndefined();
    expect(place.faults).toEqual([expect.stringMatching(why)]);
  });

  it.each([
    [undefined, undefined],
    ['', []],
    [' deploy  admin ', ['deploy', 'admin']],
  ])('reads the accounts of the tag %j', async (logins, wanted) => {
    const place = await opened();
    await place.start({ tags: { Name: 'web-1', ...(logins === undefined ? {} : { logins }) } });

    expect((await place.inventory({ loginsTag: 'logins' }).find('web-1'))?.logins).toEqual(wanted);
  });

  it('says how to reach the instance', async () => {
    const place = await opened();
    const id = await place.start({ tags: { Name: 'web-1' }, publicIp: '198.51.100.7' });
    const options: Partial<Ec2InventoryOptions> = {
      address: 'public',
      dial: 'ssm',
      auth: 'instance-connect',
      hostAuthority: { keys: [hostKey], principals: ['fleet'] },
    };

    expect(await place.inventory(options).find('web-1')).toMatchObject({
      host: '198.51.100.7',
      hostTrust: { principals: ['fleet'] },
      instance: { id, dial: 'ssm', auth: 'instance-connect' },
    });
  });

  it('makes nothing but well-formed targets of whatever the tags are', async () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('a', 'web-1', 'x.y', '-', 'i-0123456789abcdef0'),
    );
    // XML has no way to write these.
    const text = word.map((value) => value.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/gu, ''));

    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, text, text), { maxLength: 6 }), async (instances) => {
        const place = await opened();
        for (const [Name, env, logins] of instances) await place.start({ tags: { Name, env, logins } });

        const targets = await place.inventory({ loginsTag: 'logins' }).list();

        expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length);
        for (const target of targets) expectWellFormed(target);
      }),
      { numRuns: 30 },
    );
  });
});

describe('combineInventories', () => {
  it('takes the first of two targets of a name', async () => {
    const [first] = exampleTargets;
    if (first === undefined) throw new Error('no example');
    const second = { ...first, host: '192.0.2.99' };
    const inventory = combineInventories(createStaticInventory([first]), createStaticInventory([second]));

    expect((await inventory.find(first.name))?.host).toBe(first.host);
    expect(await inventory.list()).toEqual([first]);
  });

  it('lets no tag take the name of a configured target by way of the instance id', async () => {
    const [configured] = exampleTargets;
    if (configured === undefined) throw new Error('no example');
    const place = await opened();
    const attacker = await place.start({ tags: { Name: configured.name } });
    const other = await place.start({ tags: { Name: 'other' } });
    const inventory = combineInventories(createStaticInventory(exampleTargets), place.inventory());

    expect(await inventory.find(attacker)).toBeUndefined();
    expect((await inventory.find(other))?.name).toBe('other');
    expect((await inventory.find(configured.name))?.host).toBe(configured.host);
  });

  it('passes on what one of them knows of a missing target', async () => {
    const place = await opened();
    await place.start({ tags: { Name: 'twin' } });
    await place.start({ tags: { Name: 'twin' } });
    const inventory = combineInventories(createStaticInventory(exampleTargets), place.inventory());

    expect(await inventory.find('twin')).toBeUndefined();
    expect(inventory.missing?.('twin')).toMatch(/^more than one/);
    expect(inventory.missing?.('nobody')).toBeUndefined();
  });

  it('finds a configured target while EC2 is away, and says that it cannot know of others', async () => {
    const place = await opened();
    place.front.inject(() => ({ kind: 'answer', ...refusal('UnauthorizedOperation', 'no', 403) }));
    const inventory = combineInventories(createStaticInventory(exampleTargets), place.inventory());

    expect((await inventory.find('web-1'))?.name).toBe('web-1');
    await expect(inventory.find('web-2')).rejects.toMatchObject({ code: 'unreadable' });
    await expect(inventory.list()).rejects.toMatchObject({ code: 'unreadable' });
  });
});

describe('the fake of EC2', () => {
  it.each([
    [{ MaxResults: 4 }, 'InvalidParameterValue'],
    [{ MaxResults: 1001 }, 'InvalidParameterValue'],
    [{ NextToken: 'mine' }, 'InvalidNextToken'],
    [{ InstanceIds: ['i-0123456789abcdef0'] }, 'InvalidInstanceID.NotFound'],
    [{ Filters: [{ Name: 'no-such-filter', Values: ['x'] }] }, 'InvalidParameterValue'],
  ])('refuses %j', async (input, name) => {
    const client = new EC2Client(clientOptions(fakeEndpoint));
    onTestFinished(() => client.destroy());

    await expect(client.send(new DescribeInstancesCommand(input))).rejects.toMatchObject({ name });
  });

  it('has security groups too', async () => {
    const client = new EC2Client(clientOptions(fakeEndpoint));
    onTestFinished(() => client.destroy());
    ec2.rules.set('sgr-1', { ruleId: 'sgr-1', groupId: 'sg-1', cidrIpv4: '192.0.2.0/24' });

    const { SecurityGroupRules } = await client.send(
      new DescribeSecurityGroupRulesCommand({ MaxResults: 5 }),
    );

    expect(SecurityGroupRules).toMatchObject([{ SecurityGroupRuleId: 'sgr-1', CidrIpv4: '192.0.2.0/24' }]);
  });
});

function expectWellFormed({ name, labels, logins }: Target): void {
  expect(name).toMatch(/^[a-z0-9][a-z0-9._-]*$/);
  expect(name).not.toMatch(/^i-[0-9a-f]{8,}$/);
  for (const value of Object.values(labels)) expect(value).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  for (const login of logins ?? []) expect(login).toMatch(/^[A-Za-z_][A-Za-z0-9_.-]*\$?$/);
}
