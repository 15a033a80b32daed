import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CastEvent,
  type CastInput,
  castEvents,
  createCastEncoder,
  RecordingError,
} from '../../../core/recording/index.ts';

const header = '{"version": 3, "term": {"cols": 80, "rows": 24}}\n';

async function* pieces(file: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
}

async function read(file: string | Buffer, size = 7, maxEvents?: number): Promise<CastEvent[]> {
  const limits = maxEvents === undefined ? {} : { maxEvents };
  return Array.fromAsync(castEvents(pieces(Buffer.from(file), size), limits));
}

const text = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
  .map((value) => value.toWellFormed());
const input: fc.Arbitrary<CastInput> = fc.oneof(
  fc.record({
    code: fc.constant('o' as const),
    stream: fc.constantFrom('stdout' as const, 'stderr' as const),
    data: text.map((value) => Buffer.from(value)),
  }),
  fc.record({ code: fc.constant('m' as const), label: text }),
  fc.record({
    code: fc.constant('r' as const),
    columns: fc.integer({ min: 1, max: 999 }),
    rows: fc.integer({ min: 1, max: 999 }),
  }),
  fc.record({ code: fc.constant('x' as const), status: fc.integer({ min: 0, max: 255 }) }),
);

describe('castEvents', () => {
  it('reads back what the encoder wrote, wherever the file is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(10_000), input), { maxLength: 20 }),
        fc.integer({ min: 1, max: 200 }),
        async (inputs, size) => {
          const encoder = createCastEncoder({ startedAtMs: 0, columns: 80, rows: 24, term: 'vt100' });
          let at = 0;
          const expected: CastEvent[] = [];
          let file = encoder.header;
          for (const [gap, event] of inputs) {
            at += gap;
            file += encoder.encode(at, event);
            expected.push(expectedEvent(at / 1000, event));
          }

          expect(await read(file, size)).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leaves out comments, input and codes it does not know', async () => {
    const file = `${header}# a note\n[1, "i", "secret"]\n[0.5, "z", "?"]\n[0.25, "r", "1x1; rm"]\n[0.25, "o", "hi"]`;

    expect(await read(file)).toEqual([{ time: 2, code: 'o', data: 'hi', stream: 'stdout' }]);
  });

  it.each([
    ['an empty file', ''],
    ['version 2', '{"version": 2, "width": 80, "height": 24}\n'],
    ['a comment in the first line', `# hi\n${header}`],
    ['a terminal without width', '{"version": 3, "term": {"cols": 0, "rows": 24}}\n'],
    ['a line that is not JSON', `${header}[0, "o", "x"\n`],
    ['an event of two elements', `${header}[0, "o"]\n`],
    ['an event of four elements', `${header}[0, "o", "x", 1]\n`],
    ['a negative interval', `${header}[-1, "o", "x"]\n`],
    ['an infinite interval', `${header}[1e999, "o", "x"]\n`],
    ['a code of two characters', `${header}[0, "oo", "x"]\n`],
    ['an empty line', `${header}\n[0, "o", "x"]\n`],
    ['a line over the limit', `${header}[0, "o", "${'x'.repeat(1024 * 1024)}"]\n`],
    ['a line without end', `${header}${'['.repeat(2 * 1024 * 1024)}`],
    ['bytes that are not UTF-8', Buffer.from(`${header}[0, "o", "\xff"]\n`, 'latin1')],
  ])('refuses %s', async (_name, file) => {
    await expect(read(file, 65536)).rejects.toMatchObject({ name: 'RecordingError', code: 'invalid-cast' });
  });

  it('stops at the limit of events', async () => {
    await expect(read(`${header}${'[0, "o", "x"]\n'.repeat(5)}`, 100, 4)).rejects.toThrow(/over 4 events/);
  });

  it('either reads random bytes or refuses them with its own error', async () => {
    const line = fc.oneof(fc.string(), fc.json(), fc.constant('[0, "o", "x"]'), fc.constant('# stderr'));
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(line), fc.uint8Array(), async (good, list, bytes) => {
        const file = Buffer.concat([Buffer.from(`${good ? header : ''}${list.join('\n')}`), bytes]);
        const outcome: unknown = await read(file).catch((error: unknown) => error);

        expect(Array.isArray(outcome) || outcome instanceof RecordingError).toBe(true);
      }),
    );
  });
});

function expectedEvent(time: number, event: CastInput): CastEvent {
  switch (event.code) {
    case 'o':
      return { time, code: 'o', data: Buffer.from(event.data).toString(), stream: event.stream };
    case 'r':
      return { time, code: 'r', data: `${event.columns}x${event.rows}` };
    case 'm':
      return { time, code: 'm', data: event.label };
    default:
      return { time, code: 'x', data: event.code === 'x' ? String(event.status) : '' };
  }
}
