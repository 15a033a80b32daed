import { openSqliteControlStore } from '../../../../adapters/local/control-store/sqlite-control-store.ts';

/** A process of its own: counts up `failures` of one item `times` times, each time on condition that nobody else did. */
const [path = '', id = '', times = '0'] = process.argv.slice(2);
const store = await openSqliteControlStore(path, { now: () => 0 });
for (let done = 0; done < Number(times); ) {
  const item = await store.get('totp', id);
  const data = item?.data ?? { lastStep: 0, failures: 0, lockedUntilMs: 0 };
  const version = await store.put(
    'totp',
    id,
    { ...data, failures: data.failures + 1 },
    item === undefined ? { kind: 'absent' } : { kind: 'version', version: item.version },
  );
  if (version !== undefined) done += 1;
}
await store.close();
