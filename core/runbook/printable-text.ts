import type { Cell } from '#core/contract';

const maxTextLength = 4_096;

/**
 * Text of a cell, fit for a terminal, a page or a mail: control, format and private characters (escape sequences, bidirectional
 * overrides) are written out as `\u{..}`, and what is too long is cut. Undefined for NULL.
 */
export function printableCell(cell: Cell | undefined): string | undefined {
  if (cell === null || cell === undefined) return undefined;
  return printable(typeof cell === 'string' ? cell : cellText(cell));
}

export function printable(text: string, maxLength: number = maxTextLength): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  return cut.replace(/[\p{C}\u2028\u2029]/gu, (character) => {
    const point = character.codePointAt(0) ?? 0xfffd;
    return `\\u{${point.toString(16)}}`;
  });
}

/** Lists and objects as JSON; wide integers as digits. */
export function cellText(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (typeof cell !== 'object') return String(cell);
  return JSON.stringify(cell, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}

/** Puts columns in for `${name}`; `-` where there is none. */
export function fillTemplate(template: string, columns: Readonly<Record<string, string>>): string {
  return template.replace(/\$\{([a-z_][a-z0-9_]*)\}/g, (_, name: string) =>
    Object.hasOwn(columns, name) ? printable(columns[name] ?? '-', 256) : '-',
  );
}

export function templateColumns(template: string): readonly string[] {
  return [...template.matchAll(/\$\{([^}]*)\}/g)].map((match) => match[1] ?? '');
}
