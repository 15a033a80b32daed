import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSqliteControlStore } from '#adapters/local';
import type { ControlStore } from '#core/contract';
import { createSecurityKeyCounters } from '../../../proxy-task/login/security-key-counters.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function openStore(): Promise<ControlStore> {
  const store = await openSqliteControlStore(join(temporaryFolder(), 'control.sqlite'), { now: () => 1000 });
  onTestFinished(() => store.close());
  return store;
}

/** A store that another gateway writes to between each read and write of this one, so that no write ever holds. */
function everChanging(store: ControlStore): ControlStore {
  return { ...store, put: async () => undefined };
}

describe('the counters of security keys', () => {
  it('passes each of thirty logins at once, in whatever order they came', async () => {
    const counters = createSecurityKeyCounters(await openStore(), () => 1000);
    const numbers = Array.from({ length: 30 }, (_, index) => ((index * 7) % 30) + 1);

    const outcomes = await Promise.all(numbers.map((number) => counters.check('SHA256:key', number)));

    expect(new Set(outcomes)).toEqual(new Set(['accepted']));
  });

  it('passes one of many logins that show the same number', async () => {
    const counters = createSecurityKeyCounters(await openStore(), () => 1000);

    const outcomes = await Promise.all(Array.from({ length: 10 }, () => counters.check('SHA256:key', 5)));

    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'repeated')).toHaveLength(9);
  });

  it('counts each key for itself, and remembers over a restart', async () => {
    const store = await openStore();
    await createSecurityKeyCounters(store, () => 1000).check('SHA256:one', 5);
    const restarted = createSecurityKeyCounters(store, () => 1000);

    expect(await restarted.check('SHA256:other', 5)).toBe('accepted');
    expect(await restarted.check('SHA256:one', 5)).toBe('repeated');
  });

  it('refuses where the number cannot be kept', async () => {
    const counters = createSecurityKeyCounters(everChanging(await openStore()), () => 1000);

    expect(await counters.check('SHA256:key', 5)).toBe('busy');
  });

  it('rejects where the store cannot be read, and works again after it', async () => {
    const store = await openStore();
    let down = true;
    const counters = createSecurityKeyCounters(
      {
        ...store,
        get: (kind, id) => (down ? Promise.reject(new Error('the store is down')) : store.get(kind, id)),
      },
      () => 1000,
    );

    const during = Promise.allSettled([counters.check('SHA256:key', 5), counters.check('SHA256:key', 6)]);
    expect((await during).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    down = false;

    expect(await counters.check('SHA256:key', 5)).toBe('accepted');
  });
});
