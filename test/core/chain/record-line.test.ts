import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChainError, genesisHash, link, verifyLine } from '#core/chain';
import { executeCommand, startSession, toAuditRecord } from '#core/event';
import { atMs, sessionFacts } from '../event/sample-facts.ts';
import { chainLines, origin } from './sample-chain.ts';

const position = { stream: 'gateway', seq: 4812, previousHash: 'b1'.repeat(32) };
/** A record as the first versions wrote it: fields that came later are not in it. */
const unlinked = toAuditRecord(startSession({ ...sessionFacts, certificateSerial: undefined }, atMs), {
  eventId: '01937c2e-7b1e-7cc0-9d2a-3f6f0d5f5a11',
  origin,
  ingestTimeMs: atMs,
});
const flat = fc.dictionary(
  fc
    .string({ unit: 'grapheme', maxLength: 20 })
    .filter((name) => !name.startsWith('chain') && name !== '__proto__'),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  { maxKeys: 6 },
);

function changed(edit: (text: string) => string): string {
  const { line } = link(position, unlinked);
  const text = edit(line);
  if (text === line) throw new Error('the edit changed nothing');
  const verified = verifyLine(Buffer.from(text));
  return verified.ok ? 'ok' : verified.fault;
}

test('a linked record says its place and has the hash of its canonical JSON', () => {
  const { record, hash, line } = link(position, unlinked);
  const { chainHash, ...rest } = record.additionalEventData;
  const hashed = canonicalize({ ...record, additionalEventData: rest }) ?? '';

  expect(record.additionalEventData).toMatchObject({
    chainStream: 'gateway',
    chainSeq: '4812',
    chainPrev: 'b1'.repeat(32),
  });
  expect(chainHash).toBe(hash);
  expect(hash).toBe(createHash('sha256').update(hashed).digest('hex'));
  expect(line).toBe(canonicalize(record));
});

test('the form of a line is fixed for ever', () => {
  const { hash } = link({ stream: 'gateway', seq: 1, previousHash: genesisHash }, unlinked);

  expect(hash).toBe('07e66cb4e6f8d8aa16b01fe26317ffee9754ac4d6fe0c9378b77e0ca0c21058f');
});

test('for records of any text, the line is the canonical JSON and verifies', () => {
  fc.assert(
    fc.property(flat, flat, flat, (requestParameters, responseElements, additionalEventData) => {
      const { record, line, hash } = link(position, {
        ...unlinked,
        requestParameters,
        responseElements,
        additionalEventData,
      });
      const verified = verifyLine(Buffer.from(line));

      expect(line).toBe(canonicalize(record));
      expect(verified).toMatchObject({ ok: true, record: { chain: { ...position, hash } } });
    }),
    { numRuns: 300 },
  );
});

test('text that imitates the chain changes nothing', () => {
  const command = '","chainHash":"0","chainPrev":"","x":"';
  const [line] = chainLines([executeCommand(sessionFacts, atMs, { command, commandSource: 'exec' })]);

  const verified = verifyLine(line ?? Buffer.alloc(0));

  expect(verified.ok && verified.record.requestParameters['command']).toBe(command);
});

describe('a changed line is refused', () => {
  test('whichever byte it is, and however it changed', () => {
    const line = Buffer.from(link(position, unlinked).line);

    fc.assert(
      fc.property(fc.nat(line.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const bytes = Buffer.from(line);
        bytes[at] = (bytes[at] ?? 0) ^ mask;

        expect(verifyLine(bytes).ok).toBe(false);
      }),
      { numRuns: 3000 },
    );
  });

  test('when bytes are removed or put in', () => {
    const line = Buffer.from(link(position, unlinked).line);

    fc.assert(
      fc.property(fc.nat(line.length), fc.nat(5), fc.uint8Array({ maxLength: 5 }), (at, removed, added) => {
        const bytes = Buffer.concat([line.subarray(0, at), added, line.subarray(at + removed)]);

        expect(verifyLine(bytes).ok).toBe(bytes.equals(line));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['a value', (line: string) => line.replace('pay-api-3', 'pay-api-4'), 'hash-mismatch'],
    ['the hash', (line: string) => line.replace(/"chainHash":"./, '"chainHash":"z'), 'not-a-record'],
    ['the place', (line: string) => line.replace('"4812"', '"4813"'), 'hash-mismatch'],
    ['a space', (line: string) => line.replace(':', ': '), 'not-canonical'],
    ['an escape for a letter', (line: string) => line.replace('gateway', '\\u0067ateway'), 'not-canonical'],
    ['a name a second time', (line: string) => line.replace(/\}$/, ',"userAgent":"x"}'), 'not-canonical'],
    ['a byte order mark', (line: string) => `\ufeff${line}`, 'not-json'],
    ['a number for a text', (line: string) => line.replace('"4812"', '4812'), 'not-a-record'],
    ['half of it', (line: string) => line.slice(0, line.length / 2), 'not-json'],
    ['nothing left', () => '', 'not-json'],
  ])('%s', (_, edit, fault) => {
    expect(changed(edit)).toBe(fault);
  });

  test('where a replacement character was replaced by a byte that reads as one', () => {
    const [line] = chainLines([
      executeCommand(sessionFacts, atMs, { command: 'a\ufffdb', commandSource: 'exec' }),
    ]);
    const at = line?.indexOf(Buffer.from('\ufffd')) ?? 0;
    const forged = Buffer.concat([
      line?.subarray(0, at) ?? Buffer.alloc(0),
      Buffer.of(0xff),
      line?.subarray(at + 3) ?? Buffer.alloc(0),
    ]);

    expect(verifyLine(forged)).toMatchObject({ ok: false, fault: 'not-json' });
  });

  test('where an escape makes a lone surrogate', () => {
    expect(changed((line) => line.replace('pay-api-3', '\\ud800'))).toBe('not-canonical');
  });
});

test('no bytes make it fall', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((json) => Buffer.from(json)),
      ),
      (bytes) => {
        expect(verifyLine(bytes).ok).toBe(false);
      },
    ),
  );
  expect(verifyLine(Buffer.from('['.repeat(500_000))).ok).toBe(false);
});

test('a draft cannot claim a place in the chain', () => {
  const forged = { ...unlinked, additionalEventData: { chainSeq: '1' } };

  expect(() => link(position, forged)).toThrow(ChainError);
});

test('text that is no Unicode is refused', () => {
  const broken = { ...unlinked, requestParameters: { command: '\ud800' } };

  expect(() => link(position, broken)).toThrow(expect.objectContaining({ code: 'not-canonicalizable' }));
});
