import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { dynamoThrottling, fakeDynamoDb } from '../../../fakes/aws/dynamodb.ts';
import { dynamoClient } from '../../../fakes/aws/dynamodb-control-table.ts';
import { jsonError } from '../../../fakes/aws/fake-aws.ts';
import { awsEndpoints, clientOptions } from '../../../support/aws-endpoints.ts';
import {
  absent,
  any,
  deadline,
  faulty,
  first,
  opened,
  storeOver,
  totp,
  version,
  watched,
} from './opened-store.ts';

describe.each(await awsEndpoints(fakeDynamoDb()))('over $name', ({ endpoint }) => {
  describe('createDynamoControlStore where calls fail', () => {
    /** A store whose calls go through `front`, and one whose calls do not. */
    async function throughFaults(now: () => number = () => 1000) {
      const front = await faulty(endpoint);
      const { client, table, store: direct } = await opened(endpoint, now);
      return { front, client, table, direct, store: storeOver(dynamoClient(front.endpoint), table, now) };
    }

    it.each([
      ['a reset', { kind: 'reset' }],
      ['throttling', { kind: 'answer', ...dynamoThrottling }],
      ['an internal fault', { kind: 'answer', ...jsonError(500, 'InternalServerError', 'sorry') }],
      ['a page of HTML', { kind: 'answer', status: 503, body: '<html>no</html>' }],
    ] as const)('tries again after %s', async (_name, fault) => {
      const { front, store } = await throughFaults();

      front.inject(first(2, 'UpdateItem', fault));
      expect(await store.put('totp', 'a', totp, absent)).toBe(1);
      front.inject(first(2, 'GetItem', fault));
      expect((await store.get('totp', 'a'))?.version).toBe(1);
      front.inject(first(2, 'Query', fault));
      expect(await store.list('totp')).toHaveLength(1);
      front.inject(first(2, 'DeleteItem', fault));
      expect(await store.delete('totp', 'a')).toBe(true);

      expect(front.calls.filter((call) => call === 'dynamodb:UpdateItem')).toHaveLength(3);
    });

    it('gives up in time where every call is throttled, and says so', async () => {
      const { front, store } = await throughFaults();
      front.inject(() => ({ kind: 'answer', ...dynamoThrottling }));

      const reading = await store.get('totp', 'a').catch((error: unknown) => error);

      expect(reading).toMatchObject({ code: 'unreadable', message: expect.stringMatching(/throttles/) });
      expect(reading).toHaveProperty('cause.name', 'ProvisionedThroughputExceededException');
      expect(front.calls.length).toBeGreaterThan(3);
    });

    it('waits no longer for an answer than it has time', async () => {
      const { front, store } = await throughFaults();
      front.inject(first(9, 'GetItem', { kind: 'delay', ms: 30_000 }));

      await expect(store.get('totp', 'a')).rejects.toThrow(/did not answer in time/);
    });

    it('names the right that is missing, and does not try again', async () => {
      const { front, store } = await throughFaults();
      front.inject(() => ({ kind: 'answer', ...jsonError(400, 'AccessDeniedException', 'no') }));

      await expect(store.put('totp', 'a', totp, any)).rejects.toThrow(/dynamodb:UpdateItem/);
      await expect(store.get('totp', 'a')).rejects.toThrow(/dynamodb:GetItem/);
      expect(front.calls).toHaveLength(2);
    });

    it.each([absent, version(1), any])('knows its own put %j whose answer was lost', async (condition) => {
      const { front, store, direct } = await throughFaults();
      if (condition.kind !== 'absent') await direct.put('totp', 'a', totp, absent);
      front.inject(first(1, 'UpdateItem', { kind: 'lose-answer' }));

      const put = await store.put('totp', 'a', { ...totp, failures: 5 }, condition);

      const wanted = condition.kind === 'absent' ? 1 : 2;
      expect(put).toBe(wanted);
      expect(await direct.get('totp', 'a')).toMatchObject({ version: wanted, data: { failures: 5 } });
    });

    it('knows its own put where the client itself called again', async () => {
      const { table, store: direct } = await opened(endpoint);
      const front = await faulty(endpoint);
      const repeating = new DynamoDBClient({ ...clientOptions(front.endpoint), maxAttempts: 3 });
      onTestFinished(() => repeating.destroy());
      const store = storeOver(repeating, table);
      front.inject(first(1, 'UpdateItem', { kind: 'lose-answer' }));

      expect(await store.put('totp', 'a', totp, any)).toBe(1);
      expect(await direct.put('totp', 'a', totp, any)).toBe(2);
      expect(front.calls).toHaveLength(2);
    });

    it('does not take the put of another for its own', async () => {
      const { front, store, direct } = await throughFaults();
      await direct.put('totp', 'a', totp, absent);
      front.inject(first(1, 'UpdateItem', { kind: 'reset' }));

      expect(await store.put('totp', 'a', totp, absent)).toBeUndefined();
    });

    it('says where it cannot be told whether a put was done', async () => {
      const { front, store, direct } = await throughFaults();
      let lost = false;
      front.inject((request) => {
        if (request.operation !== 'UpdateItem' || lost) return undefined;
        lost = true;
        return { kind: 'lose-answer' };
      });
      const overwriting = vi.waitFor(async () => {
        expect(await direct.put('totp', 'a', totp, version(1))).toBe(2);
      }, deadline);
      // Answers come late enough for another to change the item before the retry.
      front.inject((request) =>
        lost && request.operation === 'UpdateItem' ? { kind: 'delay', ms: 300 } : undefined,
      );

      const putting = store.put('totp', 'a', totp, absent);

      await expect(putting).rejects.toMatchObject({
        code: 'unwritable',
        message: expect.stringMatching(/cannot be told/),
      });
      await overwriting;
    });

    it('says true of a delete whose answer was lost', async () => {
      const { front, store, direct } = await throughFaults();
      await direct.put('totp', 'a', totp, any);
      front.inject(first(1, 'DeleteItem', { kind: 'lose-answer' }));

      expect(await store.delete('totp', 'a')).toBe(true);
      expect(await store.delete('totp', 'a')).toBe(false);
      expect(await direct.get('totp', 'a')).toBeUndefined();
    });

    it('tells a watcher each failure, and what happened meanwhile once it can read again', async () => {
      const { front, store, direct } = await throughFaults();
      const { seen, faults } = watched(store);
      await vi.waitFor(() => expect(front.calls.length).toBeGreaterThan(1), deadline);
      const heal = front.inject(() => ({
        kind: 'answer',
        ...jsonError(500, 'InternalServerError', 'sorry'),
      }));
      await direct.put('totp', 'meanwhile', totp, any);
      await vi.waitFor(() => expect(faults.length).toBeGreaterThan(2), deadline);
      expect(seen).toEqual([]);

      heal();

      await vi.waitFor(() => expect(seen.map((item) => item.id)).toEqual(['meanwhile']), deadline);
      expect(faults[0]).toMatchObject({ name: 'ControlStoreError', code: 'unreadable' });
    });

    it('tells a watcher that could not read at first of everything that may have changed since', async () => {
      const { front, store, direct } = await throughFaults();
      const heal = front.inject(() => ({ kind: 'reset' }));
      const { seen, faults } = watched(store);
      await vi.waitFor(() => expect(faults.length).toBeGreaterThan(0), deadline);
      await direct.put('totp', 'a', totp, any);

      heal();

      await vi.waitFor(() => expect(seen.map((item) => item.id)).toEqual(['a']), deadline);
    });
  });
});
