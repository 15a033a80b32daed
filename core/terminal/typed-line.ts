import type { Key } from './key-reader.ts';

/** What the keys of one line would make of it, were the shell a plain editor. */
export type TypedLine = {
  readonly line: string;
  /** False once a key did something that only the shell knows, such as history or completion. */
  readonly certain: boolean;
  /** How many characters were typed, erased ones too. */
  readonly typed: number;
};

export const nothingTyped: TypedLine = { line: '', certain: true, typed: 0 };

const maxLineLength = 64 * 1024;

export function typeKey(before: TypedLine, key: Key): TypedLine {
  switch (key.kind) {
    case 'text': {
      const room = maxLineLength - before.line.length;
      return {
        line: before.line + key.text.slice(0, Math.max(0, room)),
        certain: before.certain && key.text.length <= room && !key.text.includes('\t'),
        typed: before.typed + key.text.length,
      };
    }
    case 'erase':
      return { ...before, line: withoutLast(before.line) };
    case 'kill-line':
      return { ...before, line: '' };
    case 'kill-word':
      return { ...before, line: before.line.replace(/\S+\s*$/, '') };
    default:
      return { ...before, certain: false };
  }
}

function withoutLast(line: string): string {
  const last = line.codePointAt(line.length - 2) ?? 0;
  return line.slice(0, last > 0xffff ? -2 : -1);
}
