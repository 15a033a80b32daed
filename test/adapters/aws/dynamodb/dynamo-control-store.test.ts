import { randomUUID } from 'node:crypto';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ControlStoreError } from '#core/control';
import { controlStoreConformance, revocation } from '../../../conformance/control-store.ts';
import { fakeDynamoDb } from '../../../fakes/aws/dynamodb.ts';
import { createControlTable, dynamoClient } from '../../../fakes/aws/dynamodb-control-table.ts';
import { awsEndpoints } from '../../../support/aws-endpoints.ts';
import { absent, any, opened, putAttributes, storeOver, totp, version } from './opened-store.ts';

describe.each(await awsEndpoints(fakeDynamoDb()))('over $name', ({ name, endpoint }) => {
  controlStoreConformance(`DynamoDB (${name})`, async () => {
    const { client, table } = await createControlTable(endpoint);
    // A millisecond goes by at each look, until a test sets the time: what came first is told by clocks here.
    let base = 0;
    let tick = 1;
    const now = () => {
      base += tick;
      return base;
    };
    return {
      open: async () => storeOver(client, table, now),
      setNow: (ms) => {
        base = ms;
        tick = 0;
      },
    };
  });

  describe('createDynamoControlStore', () => {
    it('lets one of eight racing writers win, and loses no count of theirs', async () => {
      const { client, table } = await opened(endpoint);
      const writers = Array.from({ length: 8 }, () => storeOver(client, table));

      const made = await Promise.all(writers.map((writer) => writer.put('totp', 'a', totp, absent)));
      const changed = await Promise.all(writers.map((writer) => writer.put('totp', 'a', totp, version(1))));
      const counted = await Promise.all(writers.map((writer) => writer.put('totp', 'a', totp, any)));

      expect(made.filter((each) => each === 1)).toHaveLength(1);
      expect(made.filter((each) => each === undefined)).toHaveLength(7);
      expect(changed.filter((each) => each === 2)).toHaveLength(1);
      expect(changed.filter((each) => each === undefined)).toHaveLength(7);
      expect(counted.toSorted((one, other) => (one ?? 0) - (other ?? 0))).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
    });

    it('lets one of eight racing writers take over what expired', async () => {
      let now = 1000;
      const { client, table, store } = await opened(endpoint, () => now);
      await store.put('totp', 'a', totp, any);
      await store.put('totp', 'a', totp, any, 2000);
      now = 2000;
      const writers = Array.from({ length: 8 }, () => storeOver(client, table, () => now));

      const made = await Promise.all(writers.map((writer) => writer.put('totp', 'a', totp, absent)));

      expect(made.filter((each) => each === 1)).toHaveLength(1);
      expect(await store.get('totp', 'a')).toEqual({ kind: 'totp', id: 'a', version: 1, data: totp });
    });

    it('starts the versions anew where an expired item is put without a condition', async () => {
      let now = 1000;
      const { store } = await opened(endpoint, () => now);
      for (let put = 0; put < 3; put += 1) await store.put('totp', 'a', totp, any, 2000);
      now = 2000;

      expect(await store.put('totp', 'a', totp, any, 3000)).toBe(1);
      expect(await store.put('totp', 'a', totp, any)).toBe(2);
      now = 9000;
      expect((await store.get('totp', 'a'))?.version).toBe(2);
    });

    it('tells DynamoDB in seconds when an item may be removed, never too early, and that it may not any more', async () => {
      const { client, table, store } = await opened(endpoint);
      const stored = async () =>
        (
          await client.send(
            new GetItemCommand({ TableName: table, Key: { pk: { S: 'totp' }, sk: { S: 'a' } } }),
          )
        ).Item;

      await store.put('totp', 'a', totp, any, 5000.2);
      expect(await stored()).toMatchObject({ expiresAtMs: { N: '5001' }, expiresAt: { N: '6' } });
      await store.put('totp', 'a', totp, any);

      expect(Object.keys((await stored()) ?? {}).sort()).toEqual([
        'changedAtMs',
        'data',
        'pk',
        'sk',
        'version',
        'writeId',
      ]);
    });

    it.each([
      "' OR attribute_exists(pk) --",
      ':kind',
      '#kind',
      'a AND #version = :expected',
      '../x',
      '{"S":"a"}',
      'line\nfeed',
      '\u0001',
      '__proto__',
      '\u{1f600}'.repeat(256),
      'ä'.normalize('NFD'),
    ])('takes the id %j as it is', async (id) => {
      const { store } = await opened(endpoint);
      await store.put('totp', 'a', totp, any);

      expect(await store.put('totp', id, totp, absent)).toBe(1);
      expect(await store.put('totp', id, { ...totp, failures: 1 }, version(1))).toBe(2);
      expect((await store.get('totp', id))?.data.failures).toBe(1);
      expect((await store.list('totp')).map((item) => item.id).sort()).toEqual(['a', id].sort());
      expect(await store.delete('totp', id)).toBe(true);
      expect((await store.get('totp', 'a'))?.version).toBe(1);
    });

    it.each(['', 'x'.repeat(1025), 'nul\0', 'half\ud800'])(
      'finds nothing under %j, without a fault',
      async (id) => {
        const { store } = await opened(endpoint);

        expect(await store.get('totp', id)).toBeUndefined();
        expect(await store.delete('totp', id)).toBe(false);
      },
    );

    it.each([0, -1, 1.5, Number.NaN, Number.MAX_SAFE_INTEGER])(
      'finds no item of version %d',
      async (number) => {
        const { store } = await opened(endpoint);
        await store.put('totp', 'a', totp, any);

        expect(await store.put('totp', 'a', totp, version(number))).toBeUndefined();
      },
    );

    it.each([Number.NaN, Number.POSITIVE_INFINITY])(
      'refuses to keep something until %d',
      async (expiresAtMs) => {
        const { store } = await opened(endpoint);

        await expect(store.put('totp', 'a', totp, any, expiresAtMs)).rejects.toMatchObject({
          code: 'unwritable',
        });
      },
    );

    it('lists what takes more than one page of a megabyte', async () => {
      const { store } = await opened(endpoint);
      const message = 'x'.repeat(250 * 1024);
      const ids = Array.from({ length: 9 }, (_, index) => `r${index}`);
      for (const id of ids) await store.put('revocation', id, { ...revocation, message }, any);

      const listed = await store.list('revocation');

      expect(listed.map((item) => item.id)).toEqual(ids);
      expect(listed.every((item) => item.data.message.length === message.length)).toBe(true);
    }, 30_000);

    it('refuses data that is too large, with a message that names it', async () => {
      const { store } = await opened(endpoint);
      const large = { ...revocation, message: 'x'.repeat(300 * 1024) };

      await expect(store.put('revocation', 'a', large, any)).rejects.toThrow(
        /revocation "a" has over 262144 bytes/,
      );
    });

    it.each([
      ['no JSON', { data: { S: '{' } }],
      ['JSON of another shape', { data: { S: '{"lastStep": "0"}' } }],
      ['a field too many', { data: { S: JSON.stringify({ ...totp, admin: true }) } }],
      ['another kind', { data: { S: JSON.stringify(revocation) } }],
      ['bytes', { data: { B: Buffer.from('{}') } }],
      ['no whole version', { version: { N: '1.5' } }],
      ['a time of another type', { expiresAtMs: { S: 'never' } }],
    ])('believes no item that holds %s', async (_name, attributes) => {
      const used = await opened(endpoint);
      await putAttributes(used, attributes);

      await expect(used.store.get('totp', 'alice')).rejects.toMatchObject({ code: 'corrupt' });
      await expect(used.store.get('totp', 'alice')).rejects.toThrow(/"alice"/);
      await expect(used.store.list('totp')).rejects.toMatchObject({ code: 'corrupt' });
    });

    it('refuses random data in an item with its own error', async () => {
      const used = await opened(endpoint);
      await fc.assert(
        fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (data) => {
          await putAttributes(used, { data: { S: data } });
          await expect(used.store.get('totp', 'alice')).rejects.toBeInstanceOf(ControlStoreError);
        }),
        { numRuns: 20 },
      );
    });

    it('says that there is no table, and what to do', async () => {
      const store = storeOver(dynamoClient(endpoint), `control-${randomUUID()}`);

      await expect(store.get('totp', 'a')).rejects.toMatchObject({
        name: 'ControlStoreError',
        code: 'unreadable',
      });
      await expect(store.put('totp', 'a', totp, any)).rejects.toThrow(/no such table.*deploy the stacks/);
    });
  });
});
