import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeyReader, type Key } from '../../../core/terminal/key-reader.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

function keysOf(chunks: readonly (string | Uint8Array)[], pasteMarked = true): readonly Key[] {
  const reader = createKeyReader(() => pasteMarked);
  const keys: Key[] = [];
  for (const chunk of chunks)
    reader.read(typeof chunk === 'string' ? bytes(chunk) : chunk, (key) => keys.push(key));
  return keys;
}

function joined(keys: readonly Key[]): readonly Key[] {
  const all: Key[] = [];
  for (const key of keys) {
    const last = all.at(-1);
    if (key.kind === 'text' && last?.kind === 'text')
      all.splice(-1, 1, { kind: 'text', text: last.text + key.text });
    else all.push(key);
  }
  return all;
}

function acceptKeys(text: string, pasteMarked = true, endOfFileAccepts = false): readonly number[] {
  return createKeyReader(() => pasteMarked).acceptKeys(bytes(text), { endOfFileAccepts });
}

describe('reading keys', () => {
  it('tells text from what edits it', () => {
    const keys = keysOf(['ls\x7f\x15x y\x17\x03\x04\r\n\x0f\t\x1b[A\x18\x05']).map(({ kind }) => kind);

    expect(keys).toEqual([
      'text',
      'erase',
      'kill-line',
      'text',
      'kill-word',
      'interrupt',
      'end-of-file',
      'accept',
      'accept',
      'accept',
      'other',
      'other',
      'external-editor',
    ]);
  });

  it('joins a character that was cut between chunks', () => {
    const whole = bytes('é漢');

    expect(joined(keysOf([whole.subarray(0, 1), whole.subarray(1, 3), whole.subarray(3)]))).toEqual([
      { kind: 'text', text: 'é漢' },
    ]);
  });

  it.each([
    ['a cursor report', '\x1b[12;5R'],
    ['device attributes', '\x1b[?62;4c\x1b[>0;276;0c'],
    ['a status report', '\x1b[0n'],
    ['focus', '\x1b[I\x1b[O'],
    ['a mouse click', '\x1b[<0;12;4M\x1b[<0;12;4m\x1b[M !!'],
    ['a colour', '\x1b]11;rgb:0000/0000/0000\x1b\\\x1b]10;rgb:ff/ff/ff\x07'],
    ['a device string', '\x1bP>|xterm(370)\x1b\\'],
    ['a mode report', '\x1b[?2026;2$y'],
  ])('takes %s for what a terminal says by itself', (_, reply) => {
    expect(keysOf([reply])).toEqual([]);
  });

  it('takes carriage returns of a marked paste for text', () => {
    expect(joined(keysOf(['\x1b[200~a\rb\x1b[201~\r']))).toEqual([
      { kind: 'text', text: 'a\nb' },
      { kind: 'accept', byte: 13 },
    ]);
  });

  it('takes a paste mark for keys where no program asked for marks', () => {
    expect(keysOf(['\x1b[200~rm\r'], false).map(({ kind }) => kind)).toEqual(['other', 'text', 'accept']);
  });
});

describe('finding accept keys', () => {
  it('names each carriage return, line feed and Ctrl-O', () => {
    expect(acceptKeys('a\rb\nc\x0fd')).toEqual([1, 3, 5]);
  });

  it('passes over those inside of a marked paste', () => {
    expect(acceptKeys('\x1b[200~a\rb\x1b[201~\r')).toEqual([15]);
  });

  it('does not let an unfinished sequence hide one', () => {
    expect(acceptKeys('\x1b\r')).toEqual([1]);
    expect(acceptKeys('\x1b[1;\r')).toEqual([4]);
    expect(acceptKeys('\x1b]evil\r')).toEqual([6]);
    expect(acceptKeys('\x1bPevil\r')).toEqual([6]);
    expect(acceptKeys('\x1b[M\r')).toEqual([3]);
    expect(acceptKeys('\x18\r')).toEqual([1]);
  });

  it('does not believe a paste mark behind an accept key, which another program may read', () => {
    expect(acceptKeys('dash\r\x1b[200~rm -rf /\r')).toEqual([4, 19]);
  });

  it('names Ctrl-D where it hands the line over', () => {
    expect(acceptKeys('rm\x04', true, true)).toEqual([2]);
    expect(acceptKeys('rm\x04', true, false)).toEqual([]);
  });

  it('reads nothing: the same bytes are still to come', () => {
    const reader = createKeyReader(() => true);
    reader.acceptKeys(bytes('\x1b[200~'), { endOfFileAccepts: false });

    expect(reader.pasting).toBe(false);
  });
});

describe('any bytes', () => {
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .array(
        fc.constantFrom('\x1b', '[', ']', 'P', 'M', '200~', '201~', '\r', 'é', 'x', ';', '1', '\x07', '\x18'),
        { maxLength: 30 },
      )
      .map((parts) => Uint8Array.from(bytes(parts.join('')))),
  );

  it('are read without a fault', () => {
    fc.assert(fc.property(input, (any) => void keysOf([any])));
  });

  it('give the same keys wherever they are cut', () => {
    fc.assert(
      fc.property(input, fc.nat(), (any, cut) => {
        const at = any.length === 0 ? 0 : cut % any.length;

        expect(joined(keysOf([any.subarray(0, at), any.subarray(at)]))).toEqual(joined(keysOf([any])));
      }),
    );
  });

  it('hold as many accept keys as are found in them', () => {
    fc.assert(
      fc.property(input, (any) => {
        const found = createKeyReader(() => false).acceptKeys(any, { endOfFileAccepts: false });

        expect(keysOf([any], false).filter(({ kind }) => kind === 'accept')).toHaveLength(found.length);
      }),
    );
  });
});
