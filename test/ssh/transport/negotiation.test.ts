import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { modernAlgorithms, targetAlgorithms } from '../../../ssh/algorithms/index.ts';
import { kexInitPayload, parseKexInit } from '../../../ssh/transport/negotiation.ts';
import { WireError } from '../../../ssh/wire/index.ts';

describe('our KEXINIT', () => {
  test('has a fresh cookie each time, and is otherwise the same', () => {
    const one = kexInitPayload('server', modernAlgorithms, true);
    const other = kexInitPayload('server', modernAlgorithms, true);

    expect(one.subarray(1, 17)).not.toEqual(other.subarray(1, 17));
    expect(one.subarray(17)).toEqual(other.subarray(17));
  });

  test('differs by role, by preferences, and between the first and the later ones', () => {
    const lists = [
      kexInitPayload('server', modernAlgorithms, true),
      kexInitPayload('client', modernAlgorithms, true),
      kexInitPayload('client', targetAlgorithms, true),
      kexInitPayload('client', targetAlgorithms, false),
    ].map((payload) => payload.toString('latin1', 17));

    expect(new Set(lists).size).toBe(4);
  });

  test('is memory of its own, so that who writes into it changes no other', () => {
    kexInitPayload('client', modernAlgorithms, true).fill(0);

    expect(parseKexInit(kexInitPayload('client', modernAlgorithms, true)).hostKey).toEqual(
      modernAlgorithms.hostKey,
    );
  });
});

describe("a peer's KEXINIT", () => {
  test('read again with another cookie has the same lists and its own bytes', () => {
    const one = kexInitPayload('client', targetAlgorithms, true);
    const other = kexInitPayload('client', targetAlgorithms, true);

    const parsed = parseKexInit(one);
    const again = parseKexInit(other);

    expect({ ...again, payload: one }).toEqual(parsed);
    expect(again.payload).toBe(other);
  });

  test('is not taken for another one that differs in a byte', () => {
    const payload = kexInitPayload('client', modernAlgorithms, true);
    parseKexInit(payload);
    const guessing = Buffer.from(payload);
    guessing[guessing.length - 5] = 1;

    expect(parseKexInit(guessing).firstPacketFollows).toBe(true);
    expect(parseKexInit(payload).firstPacketFollows).toBe(false);
  });

  test('of random bytes, or cut short, is refused or read and never a fault, however often it comes', () => {
    const payload = kexInitPayload('client', modernAlgorithms, true);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 5000 }).map((bytes) => Buffer.from(bytes)),
          fc.nat(payload.length - 1).map((length) => payload.subarray(0, length)),
        ),
        (bytes) => {
          expect(outcome(bytes)).toBe(outcome(bytes));
        },
      ),
      { numRuns: 300 },
    );
  });
});

function outcome(bytes: Buffer): string {
  try {
    return `read ${parseKexInit(bytes).keyExchange.join()}`;
  } catch (error) {
    if (error instanceof WireError) return `refused as ${error.code}`;
    throw error;
  }
}
