import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { executeCommand } from '#core/event';
import { followChain, positionAfter, positionAfterSegment, sessionRecord, streamStart } from '#core/journal';
import { chainLines } from '../chain/sample-chain.ts';
import { atMs, sessionFacts } from '../event/sample-facts.ts';

const drafts = ['a', 'b', 'c'].map((command) =>
  executeCommand(sessionFacts, atMs, { command, commandSource: 'exec' }),
);
const lines = chainLines(drafts);
const content = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
const fault = (what: string) => new Error(what);
const start = streamStart('gateway');

async function* inTurn(given: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* given;
}

describe('followChain', () => {
  test('gives the records of whole lines that follow', () => {
    const followed = [...followChain(content, start, fault)];

    expect(followed.map(({ chain, date }) => [chain.seq, date])).toEqual([
      [1, '2026-11-20'],
      [2, '2026-11-20'],
      [3, '2026-11-20'],
    ]);
    expect([...followChain(Buffer.alloc(0), start, fault)]).toEqual([]);
  });

  test('goes on from any position', () => {
    const [first] = followChain(content, start, fault);
    const rest = content.subarray((lines[0]?.length ?? 0) + 1);

    const followed = [...followChain(rest, first === undefined ? start : positionAfter(first), fault)];

    expect(followed.map(({ chain }) => chain.seq)).toEqual([2, 3]);
  });

  test.each([
    ['a last line that is not finished', content.subarray(0, -1), /record 3 is not finished/],
    [
      'a line that was changed',
      Buffer.from(content.toString().replace('"b"', '"x"')),
      /record 2 was changed/,
    ],
    [
      'a line that is missing',
      Buffer.concat([
        content.subarray(0, (lines[0]?.length ?? 0) + 1),
        lines[2] ?? content,
        Buffer.from('\n'),
      ]),
      /has number 3 where 2 should follow/,
    ],
    ['an empty line', Buffer.concat([content, Buffer.from('\n')]), /record 4 was changed/],
  ])('refuses %s', (_name, bytes, message) => {
    expect(() => [...followChain(bytes, start, fault)]).toThrow(message);
  });

  test('refuses another stream, number or forerunner', () => {
    for (const [position, message] of [
      [{ ...start, stream: 'other' }, /is of stream "gateway"/],
      [{ ...start, seq: 2 }, /has number 1 where 2 should follow/],
      [{ ...start, previousHash: 'f'.repeat(64) }, /does not follow/],
    ] as const)
      expect(() => [...followChain(content, position, fault)]).toThrow(message);
  });

  test('takes no bytes that were not written for records', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        expect(() => [...followChain(Buffer.from(bytes), start, fault)]).toThrow(/^record \d+ /);
      }),
    );
  });
});

describe('positionAfterSegment', () => {
  test('is where the next record goes, also in a segment from the middle', async () => {
    const whole = await positionAfterSegment(inTurn(lines), { stream: 'gateway', firstSeq: 1 }, fault);
    const rest = await positionAfterSegment(
      inTurn(lines.slice(1)),
      { stream: 'gateway', firstSeq: 2 },
      fault,
    );

    expect(whole).toMatchObject({ stream: 'gateway', seq: 4 });
    expect(rest).toEqual(whole);
  });

  test.each<readonly [string, readonly Buffer[], number]>([
    ['no record', [], 1],
    ['another number than its name says', lines.slice(1), 1],
    ['a gap', lines.filter((_, index) => index !== 1), 1],
    ['random bytes', [randomBytes(100)], 1],
  ])('refuses a segment with %s', async (_name, given, firstSeq) => {
    await expect(positionAfterSegment(inTurn(given), { stream: 'gateway', firstSeq }, fault)).rejects.toThrow(
      /record/,
    );
  });
});

describe('sessionRecord', () => {
  test('reads records, passes over events of a later version, and refuses what may be of a session', () => {
    const [line = Buffer.alloc(0)] = lines;
    const later = chainLines([
      { ...drafts[0], eventName: 'FutureEvent' } as unknown as (typeof drafts)[0],
    ])[0];
    const broken = chainLines([
      { ...drafts[0], eventName: 'EndSession', userIdentity: {} } as unknown as (typeof drafts)[0],
    ])[0];

    expect(sessionRecord(line, fault)?.eventName).toBe('ExecuteCommand');
    expect(sessionRecord(later ?? line, fault)).toBeUndefined();
    expect(() => sessionRecord(broken ?? line, fault)).toThrow('cannot be read');
    expect(() => sessionRecord(randomBytes(50), fault)).toThrow('cannot be read');
  });
});
