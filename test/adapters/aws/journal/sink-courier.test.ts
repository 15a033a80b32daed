import { describe, expect, test, vi } from 'vitest';
import type { EventSink } from '#core/contract';
import { memoryStores, storesOver } from './memory-stores.ts';
import {
  atMs,
  codeOf,
  command,
  journalOver,
  keepingSink,
  lakeRecords,
  numbers,
  stream,
} from './sample-stream.ts';

const deadline = { timeout: 5000, interval: 5 };
const range = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

/** A sink that refuses while it is told to. */
function moody(name = 'bus') {
  const kept = keepingSink(name);
  const state = { down: false, calls: 0 };
  const sink: EventSink = {
    name,
    async deliver(records) {
      state.calls += 1;
      if (state.down) throw new Error('the bus is down');
      await kept.deliver(records);
    },
  };
  return { sink, state, records: kept.records };
}

describe('a sink', () => {
  test('gets every record once, in order, after the lake has it', async () => {
    const memory = memoryStores();
    const inLake: number[] = [];
    const kept = keepingSink();
    const sink: EventSink = {
      name: 'bus',
      async deliver(records) {
        inLake.push((await lakeRecords(memory)).length);
        await kept.deliver(records);
      },
    };
    const journal = await journalOver(storesOver(memory), {
      sealAfterBytes: 3000,
      sinks: [sink],
      closeWithinMs: 5000,
    });

    for (let i = 0; i < 20; i += 1) await journal.record(command(`${i}`));
    await journal.close();

    expect(numbers(kept.records)).toEqual(range(20));
    expect(inLake.length).toBeGreaterThan(5);
    expect(inLake[0]).toBeGreaterThan(0);
    expect(kept.records).toEqual(await lakeRecords(memory));
  });

  test('that is down is tried again, and holds up neither records nor sealing nor another sink', async () => {
    const memory = memoryStores();
    const { sink, state, records } = moody();
    const other = keepingSink('other');
    const faults: unknown[] = [];
    state.down = true;
    const journal = await journalOver(storesOver(memory), {
      sealAfterBytes: 1,
      sinks: [sink, other],
      maxLagMs: 0,
      onFault: (error) => faults.push(codeOf(error)),
    });
    // More than are held for it.
    for (let i = 0; i < 40; i += 1) await journal.record(command(`${i}`));
    await journal.sealNow();
    await vi.waitFor(() => expect(numbers(other.records)).toEqual(range(40)), deadline);
    expect(await lakeRecords(memory)).toHaveLength(40);
    expect(records).toEqual([]);
    state.down = false;

    await vi.waitFor(() => expect(numbers(records)).toEqual(range(40)), deadline);

    expect(new Set(faults)).toEqual(new Set(['undelivered']));
    const position = () => JSON.parse(memory.control.get(`delivery bus:${stream}`)?.data ?? '{}');
    await vi.waitFor(() => expect(position()).toEqual({ sink: 'bus', stream, seq: 40, atMs }), deadline);
  });

  test('that fails now and then is nobody told of', async () => {
    const memory = memoryStores();
    const { sink, state, records } = moody();
    const faults: unknown[] = [];
    state.down = true;
    const journal = await journalOver(storesOver(memory), {
      sinks: [sink],
      onFault: (error) => faults.push(error),
    });
    await journal.record(command('a'));
    await journal.sealNow();
    await vi.waitFor(() => expect(state.calls).toBeGreaterThan(0), deadline);
    state.down = false;

    await vi.waitFor(() => expect(numbers(records)).toEqual([1]), deadline);

    expect(faults).toEqual([]);
  });

  test('that is slow is waited for at the end, for a while; then the seal function has the rest', async () => {
    const memory = memoryStores();
    const faults: unknown[] = [];
    const stuck: EventSink = { name: 'bus', deliver: () => new Promise(() => undefined) };
    const journal = await journalOver(storesOver(memory), {
      sinks: [stuck],
      onFault: (error) => faults.push(codeOf(error)),
    });
    await journal.record(command('a'));

    await journal.close();

    expect(faults).toEqual(['undelivered']);
    expect(memory.control.has(`writer ${stream}`)).toBe(true);
  });

  test('is not asked again where only its position could not be saved', async () => {
    const memory = memoryStores();
    let broken = true;
    const sink = keepingSink();
    const stores = storesOver(memory, {
      before({ name, key }) {
        if (broken && name === 'control.put' && key.startsWith('delivery')) {
          broken = false;
          throw new Error('ThrottlingException');
        }
      },
    });
    const journal = await journalOver(stores, { sinks: [sink] });
    await journal.record(command('a'));
    await journal.sealNow();

    await vi.waitFor(() => expect(memory.control.has(`delivery bus:${stream}`)).toBe(true), deadline);

    expect(numbers(sink.records)).toEqual([1]);
  });

  test('has a position that never goes back', async () => {
    const memory = memoryStores();
    const { control } = storesOver(memory);
    const journal = await journalOver(storesOver(memory), { sinks: [keepingSink()] });
    await control.put('delivery', `bus:${stream}`, { sink: 'bus', stream, seq: 9, atMs }, { kind: 'any' });

    await journal.record(command('a'));
    await journal.sealNow();
    await new Promise((resolve) => setTimeout(resolve, 20));

    expect(await control.get('delivery', `bus:${stream}`)).toMatchObject({ version: 1, data: { seq: 9 } });
  });
});
