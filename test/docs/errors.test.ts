import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errorCodes } from '#core/contract';

const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'errors.md'), 'utf8');
const sources = ['core', 'ssh', 'adapters', 'cli', 'lambdas', 'lib', 'proxy-task'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({
      path: `${folder}/${name}`,
      text: withoutComments(readFileSync(join(root, folder, name), 'utf8')),
    })),
);

/** A comment may quote something, or hold a semicolon. */
function withoutComments(text: string): string {
  return text.replace(/\/\*\*[^]*?\*\//g, '');
}

/** The first cells of the tables under each heading, without their back ticks. */
function tablesOf(markdown: string): ReadonlyMap<string, readonly string[]> {
  const tables = new Map<string, string[]>();
  let codes: string[] = [];
  for (const line of markdown.split('\n')) {
    const heading = /^#+ (.+)$/.exec(line)?.[1];
    if (heading !== undefined) {
      codes = [];
      tables.set(heading, codes);
    }
    const code = /^\| `([^`]+)` \|/.exec(line)?.[1];
    if (code !== undefined) codes.push(code);
  }
  return tables;
}

function literalsIn(text: string): readonly string[] {
  return [...text.matchAll(/'([a-z][a-z-]*)'/g)].map(([, code]) => code ?? '');
}

/** What `code` of a class may be: literals in place, or those of the type it names. */
function codesOf(body: string, file: string): readonly string[] {
  const declared = /readonly code(?:: | = )([^;]+);/.exec(body)?.[1] ?? '';
  const type = /^[A-Z]\w+$/.exec(declared)?.[0];
  if (type === undefined) return literalsIn(declared);
  const union = new RegExp(`type ${type} =([^;]+);`).exec(file)?.[1] ?? '';
  return literalsIn(union);
}

const families = sources.flatMap(({ path, text }) =>
  [...text.matchAll(/class (\w+Error) extends Error \{([^]*?)\n\}/g)].map(([, name = '', body = '']) => ({
    name,
    path,
    codes: codesOf(body, text),
  })),
);

const tables = tablesOf(page);

test('there are families to compare', () => {
  expect(families.length).toBeGreaterThan(20);
  expect(new Set(families.map(({ name }) => name)).size).toBe(families.length);
});

describe.each(families)('$name', ({ name, path, codes }) => {
  test('has each of its codes on the page, and no other', () => {
    expect(codes.length).toBeGreaterThan(0);
    expect([...(tables.get(name) ?? [])].sort()).toEqual([...codes].sort());
  });

  test('stands with the file it is in', () => {
    expect(page).toMatch(new RegExp(`### ${name}\\n\\n[^\\n]+\`${path}\`\\n`));
  });
});

test('no family is on the page that the source has not', () => {
  const onPage = [...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);

  expect(new Set(onPage)).toEqual(new Set(families.map(({ name }) => name)));
  expect(onPage).toHaveLength(families.length);
});

test('the error codes of events are those of the contract', () => {
  expect(tables.get('errorCode in events')).toEqual([...errorCodes]);
});

test('the problems of verification are those of its list', () => {
  const source = sources.find(({ path }) => path === 'core/verify/problem.ts')?.text ?? '';
  const list = /problemCodes = \[([^]*?)\] as const/.exec(source)?.[1] ?? '';

  expect(tables.get('Problems that verification finds')).toEqual(literalsIn(list));
});

test.each(tables.get('What an engineer reads') ?? [])('somebody says "%s"', (sentence) => {
  expect(sources.some(({ text }) => text.includes(sentence))).toBe(true);
});

test('every row has a meaning and something to do', () => {
  const rows = page.split('\n').filter((line) => /^\| `[^`]+` \|/.test(line));

  for (const row of rows) expect(row).toMatch(/^\| `[^`]+` \| [^|]{4,} \| [^|]{4,} \|$/);
});
