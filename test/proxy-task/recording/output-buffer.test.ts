import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBlockPool, OutputBuffer } from '../../../proxy-task/recording/output-buffer.ts';

type Taken = { readonly atMs: number; readonly stream: string; readonly text: string };

function takeAll(buffer: OutputBuffer): readonly Taken[] {
  const taken: Taken[] = [];
  for (let next = buffer.takeOldest(); next !== undefined; next = buffer.takeOldest())
    for (const event of next.events)
      taken.push({
        atMs: event.atMs,
        stream: event.kind === 'output' ? event.stream : event.kind,
        text: 'data' in event ? Buffer.from(event.data).toString('latin1') : '',
      });
  return taken;
}

describe('the buffer of output', () => {
  it('joins output of one stream within 5 ms, and nothing else', () => {
    const buffer = new OutputBuffer(createBlockPool(), 5);
    buffer.append(0, 'stdout', Buffer.from('a'));
    buffer.append(4, 'stdout', Buffer.from('b'));
    buffer.append(5, 'stdout', Buffer.from('c'));
    buffer.append(6, 'stderr', Buffer.from('d'));
    buffer.appendEvent({ kind: 'marker', atMs: 6, label: 'x' });
    buffer.append(7, 'input', Buffer.from('k'));
    buffer.append(7, 'stderr', Buffer.from('e'));

    expect(takeAll(buffer)).toEqual([
      { atMs: 0, stream: 'stdout', text: 'ab' },
      { atMs: 5, stream: 'stdout', text: 'c' },
      { atMs: 6, stream: 'stderr', text: 'd' },
      { atMs: 6, stream: 'marker', text: '' },
      { atMs: 7, stream: 'input', text: 'k' },
      { atMs: 7, stream: 'stderr', text: 'e' },
    ]);
  });

  it('gives back every byte in order, whatever the sizes', () => {
    const write = fc.record({ fill: fc.nat(255), size: fc.nat(50_000), take: fc.boolean() });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 12 }), (writes) => {
        const buffer = new OutputBuffer(createBlockPool(), 5);
        const given: Buffer[] = [];
        const taken: Buffer[] = [];
        const take = (): boolean => {
          const next = buffer.takeOldest();
          for (const event of next?.events ?? []) if ('data' in event) taken.push(Buffer.from(event.data));
          return next !== undefined;
        };

        writes.forEach(({ fill, size, take: takeNow }, index) => {
          const data = Buffer.alloc(size, fill);
          given.push(Buffer.from(data));
          buffer.append(index, 'stdout', data);
          data.fill(0);
          if (takeNow) take();
        });
        while (take());

        expect(Buffer.concat(taken).equals(Buffer.concat(given))).toBe(true);
        expect([buffer.bytes, buffer.events]).toEqual([0, 0]);
      }),
      { numRuns: 50 },
    );
  });

  it('holds no block when it is empty, and gives back those that were little used', () => {
    const pool = createBlockPool();
    const first = new OutputBuffer(pool, 5);
    const second = new OutputBuffer(pool, 5);
    first.append(0, 'stdout', Buffer.alloc(100));
    takeAll(first);

    const free = pool.take();
    pool.give(free);
    second.append(0, 'stdout', Buffer.from('x'));

    expect(pool.take()).not.toBe(free);
  });

  it('gives data away: what is taken is no part of a block that is used again', () => {
    const buffer = new OutputBuffer(createBlockPool(), 5);
    buffer.append(0, 'stdout', Buffer.from('first'));
    const taken = buffer.takeOldest();

    buffer.append(1, 'stdout', Buffer.from('other'));

    const [event] = taken?.events ?? [];
    expect(event !== undefined && 'data' in event && Buffer.from(event.data).toString()).toBe('first');
  });
});
