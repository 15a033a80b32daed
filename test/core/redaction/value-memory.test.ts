import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createValueMemory, RedactionError } from '../../../core/redaction/index.ts';

const key = Buffer.alloc(32, 7);

function found(memory: ReturnType<typeof createValueMemory>, text: string): readonly string[] {
  const bytes = Buffer.from(text);
  return memory.find(bytes).map(({ start, end }) => bytes.toString('utf8', start, end));
}

describe('createValueMemory', () => {
  it('finds what it remembers wherever it stands, the longer where two begin alike', () => {
    const memory = createValueMemory(key);
    for (const value of ['hunter2-a', 'hunter2-abc', 'schlüssel1']) memory.remember(value);

    expect(found(memory, 'xhunter2-abcd hunter2-ab hunter2- schlüssel1hunter2-a')).toEqual([
      'hunter2-abc',
      'hunter2-a',
      'schlüssel1',
      'hunter2-a',
    ]);
  });

  it.each(['short', 'production', '12345', '----------', '', 'x1'.repeat(600)])(
    'does not remember %s',
    (value) => {
      const memory = createValueMemory(key);

      memory.remember(value);

      expect(memory.size).toBe(0);
    },
  );

  it('forgets the oldest when it is full', () => {
    const memory = createValueMemory(key, { maxValues: 3 });
    for (const value of ['value-1', 'value-2', 'value-3', 'value-4']) memory.remember(value);

    expect(memory.size).toBe(3);
    expect(found(memory, 'value-1 value-2 value-4')).toEqual(['value-2', 'value-4']);
  });

  it('does no more work than its bound on text made against it', () => {
    const memory = createValueMemory(key);
    for (let length = 6; length < 500; length += 1) memory.remember(`aaaaaa${'b1'.repeat(length)}`);

    expect(memory.size).toBe(8);
    expect(memory.find(Buffer.alloc(1_000_000, 'aaaaaab1')).length).toBeGreaterThan(0);
  });

  it('finds what a search for the text itself finds', () => {
    const value = fc.string({ unit: fc.constantFrom('a', '1', '-', 'é'), minLength: 6, maxLength: 9 });
    fc.assert(
      fc.property(
        value,
        fc.string({ unit: fc.constantFrom('a', '1', '-', 'é'), maxLength: 60 }),
        (one, text) => {
          const memory = createValueMemory(key);
          memory.remember(one);

          expect(found(memory, text).length > 0).toBe(memory.size === 1 && text.includes(one));
        },
      ),
    );
  });

  it('needs a key', () => {
    expect(() => createValueMemory(Buffer.alloc(8))).toThrow(RedactionError);
  });
});
