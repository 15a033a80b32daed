import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { revocation } from '../../../conformance/control-store.ts';
import { fakeDynamoDb } from '../../../fakes/aws/dynamodb.ts';
import { awsEndpoints } from '../../../support/aws-endpoints.ts';
import { any, deadline, opened, putAttributes, storeOver, totp, watched } from './opened-store.ts';

describe.each(await awsEndpoints(fakeDynamoDb()))('over $name', ({ endpoint }) => {
  describe('createDynamoControlStore as a watcher', () => {
    it.each([-5000, 5000])('is told of puts by a writer whose clock differs by %d ms', async (skew) => {
      let now = 100_000;
      const { client, table, store } = await opened(endpoint, () => now);
      const theirs = storeOver(client, table, () => now + skew);
      const { seen, faults } = watched(store);
      await store.put('totp', 'first', totp, any);
      await vi.waitFor(() => expect(seen).toHaveLength(1), deadline);

      await theirs.put('totp', 'second', totp, any);
      await vi.waitFor(() => expect(seen).toHaveLength(2), deadline);
      now += 4000;
      await store.put('totp', 'third', totp, any);
      await theirs.put('totp', 'fourth', totp, any);

      await vi.waitFor(() => expect(seen).toHaveLength(4), deadline);
      expect(seen.map((item) => item.id).sort()).toEqual(['first', 'fourth', 'second', 'third']);
      expect(faults).toEqual([]);
    });

    it('hears of the present behind an item from the far future', async () => {
      const { client, table, store } = await opened(endpoint, () => 100_000);
      const { seen } = watched(store);
      await storeOver(client, table, () => 900_000_000).put('totp', 'future', totp, any);
      await vi.waitFor(() => expect(seen).toHaveLength(1), deadline);

      await store.put('totp', 'present', totp, any);

      await vi.waitFor(() => expect(seen.map((item) => item.id)).toEqual(['future', 'present']), deadline);
    });

    it('is told once of each put, also of the same id and version after a delete', async () => {
      const { store } = await opened(endpoint, () => 100_000);
      const { seen } = watched(store);
      await store.put('totp', 'a', totp, any);
      await vi.waitFor(() => expect(seen).toHaveLength(1), deadline);

      await store.delete('totp', 'a');
      await store.put('totp', 'a', { ...totp, failures: 1 }, any);
      await vi.waitFor(() => expect(seen).toHaveLength(2), deadline);
      await store.put('totp', 'last', totp, any);
      await vi.waitFor(() => expect(seen.length).toBeGreaterThan(2), deadline);

      expect(seen.map(({ id, version, data }) => [id, version, data.failures])).toEqual([
        ['a', 1, 0],
        ['a', 1, 1],
        ['last', 1, 0],
      ]);
    });

    it('is told of a damaged item as a fault, and of those after it all the same', async () => {
      const used = await opened(endpoint);
      const { seen, faults } = watched(used.store);
      await putAttributes(used, { data: { S: '{' } });

      await used.store.put('totp', 'good', totp, any);

      await vi.waitFor(() => expect(seen.map((item) => item.id)).toEqual(['good']), deadline);
      expect(faults).toMatchObject([{ code: 'corrupt' }]);
    });

    it('is told of changes that take more than one page of a megabyte', async () => {
      const { store } = await opened(endpoint);
      const message = 'x'.repeat(250 * 1024);
      const ids = Array.from({ length: 9 }, (_, index) => `r${index}`);
      for (const id of ids) await store.put('revocation', id, { ...revocation, message }, any);
      const seen: string[] = [];
      const stop = new AbortController();
      onTestFinished(() => stop.abort());

      store.watch('revocation', {
        latencyMs: 50,
        signal: stop.signal,
        onChange: (item) => void seen.push(item.id),
        onFault: (error) => {
          throw error;
        },
      });

      await vi.waitFor(() => expect([...seen].sort()).toEqual(ids), { timeout: 15_000, interval: 20 });
    }, 30_000);
  });
});
