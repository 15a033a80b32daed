import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { KeyError, parsePublicKey } from '../../../ssh/keys/index.ts';

const hex = z.string().regex(/^(?:[0-9a-f]{2})*$/);
const vectors = z
  .array(
    z.strictObject({
      name: z.string(),
      source: z.string(),
      /** RFC 4253 §6.6 key blob. */
      key: hex,
      message: hex,
      /** The whole SSH signature blob. */
      signature: hex,
      /** `malformed` and `weak` keys are refused before there is anything to verify. */
      outcome: z.enum(['valid', 'invalid', 'malformed', 'weak']),
    }),
  )
  .parse(JSON.parse(readFileSync(new URL('../../vectors/ssh-signatures.json', import.meta.url), 'utf8')));

function outcomeOf(vector: (typeof vectors)[number]): string {
  try {
    const { valid } = parsePublicKey(Buffer.from(vector.key, 'hex')).verify(
      Buffer.from(vector.message, 'hex'),
      Buffer.from(vector.signature, 'hex'),
    );
    return valid ? 'valid' : 'invalid';
  } catch (error) {
    if (error instanceof KeyError) return error.code;
    throw error;
  }
}

describe('signatures', () => {
  test.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    expect(outcomeOf(vector)).toBe(vector.outcome);
  });

  test('of every key type are among the vectors, good ones and bad', () => {
    const families = new Set(vectors.map(({ name }) => name.split('/').slice(0, 2).join('/')));

    for (const family of ['ed25519', 'nistp256', 'nistp384', 'nistp521', 'rsa-2048-e65537', 'rsa-2048-e3'])
      expect([families.has(`ok/${family}`), families.has(`fail/${family}`)]).toEqual([true, true]);
    expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
  });
});
