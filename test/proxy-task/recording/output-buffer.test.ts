import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBlockPool, OutputBuffer } from '../../../proxy-task/recording/output-buffer.ts';

type Taken = { readonly atMs: number; readonly stream: string; readonly text: string };

function takeAll(buffer: OutputBuffer): readonly Taken[] {
  const taken: Taken[] = [];
  const keep = ({ atMs, event }: Parameters<Parameters<typeof buffer.takeOldest>[0]>[0][number]): void => {
    if (event.code === 'o')
      taken.push({ atMs, stream: event.stream, text: Buffer.from(event.data).toString('latin1') });
    else taken.push({ atMs, stream: event.code, text: '' });
  };
  while (buffer.takeOldest((events) => events.forEach(keep)));
  return taken;
}

describe('the buffer of output', () => {
  it('joins output of one stream within 5 ms, and nothing else', () => {
    const buffer = new OutputBuffer(createBlockPool(), 5);
    buffer.appendOutput(0, 'stdout', Buffer.from('a'));
    buffer.appendOutput(4, 'stdout', Buffer.from('b'));
    buffer.appendOutput(5, 'stdout', Buffer.from('c'));
    buffer.appendOutput(6, 'stderr', Buffer.from('d'));
    buffer.appendEvent(6, { code: 'm', label: 'x' });
    buffer.appendOutput(7, 'stderr', Buffer.from('e'));

    expect(takeAll(buffer)).toEqual([
      { atMs: 0, stream: 'stdout', text: 'ab' },
      { atMs: 5, stream: 'stdout', text: 'c' },
      { atMs: 6, stream: 'stderr', text: 'd' },
      { atMs: 6, stream: 'm', text: '' },
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
        const take = (): boolean =>
          buffer.takeOldest((events) => {
            for (const { event } of events) if (event.code === 'o') taken.push(Buffer.from(event.data));
          });

        writes.forEach(({ fill, size, take: takeNow }, index) => {
          const data = Buffer.alloc(size, fill);
          given.push(Buffer.from(data));
          buffer.appendOutput(index, 'stdout', data);
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

  it('holds no block when it is empty, and shares those it gave back', () => {
    const pool = createBlockPool();
    const first = new OutputBuffer(pool, 5);
    const second = new OutputBuffer(pool, 5);
    first.appendOutput(0, 'stdout', Buffer.alloc(100_000));
    takeAll(first);

    const free = pool.take();
    pool.give(free);
    second.appendOutput(0, 'stdout', Buffer.from('x'));

    expect(pool.take()).not.toBe(free);
  });
});
