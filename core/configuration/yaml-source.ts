import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
} from 'yaml';
import { printable } from '../wording/index.ts';
import type { Problem } from './problem.ts';

/** Where in a document: names and indices from the root. */
export type ValuePath = readonly (string | number)[];

export type YamlSource = {
  /** Plain data; undefined when the text is no YAML that can be used. */
  readonly data: unknown;
  readonly problems: readonly Problem[];
  /** Where the value at a path stands; the closest thing around it where there is none. With `key`, where the name of it stands. */
  locate(path: ValuePath, part?: 'key'): { readonly line: number; readonly column: number };
};

const maxBytes = 1024 * 1024;

/** Reads YAML 1.2 of at most 1 MiB, without anchors, aliases, tags, directives or repeated keys. */
export function readYaml(text: string, file: string): YamlSource {
  if (Buffer.byteLength(text) > maxBytes)
    return unusable(file, 'the file is larger than 1 MiB', 'move parts of it elsewhere');
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: false,
    version: '1.2',
    merge: false,
    resolveKnownTags: false,
  });
  const problemAt = (offset: number, message: string, fix: string): Problem => ({
    file,
    ...placeOf(lines, offset),
    path: '',
    message,
    fix,
  });
  const problems = [...document.errors, ...document.warnings].map(({ code, pos }) =>
    problemAt(pos[0], ...sayYamlError(code)),
  );
  if (problems.length === 0) problems.push(...strictnessProblems(document, problemAt));
  if (problems.length > 0) return { data: undefined, problems, locate: () => firstPlace };
  const data: unknown = document.toJS({ maxAliasCount: 0 });
  if (data === null || data === undefined)
    return unusable(file, 'the file is empty', 'see docs/configuration.md for what it needs');
  return { data, problems: [], locate: (path, part) => placeOf(lines, offsetOf(document, path, part)) };
}

const firstPlace = { line: 1, column: 1 };

function unusable(file: string, message: string, fix: string): YamlSource {
  return {
    data: undefined,
    problems: [{ file, ...firstPlace, path: '', message, fix }],
    locate: () => firstPlace,
  };
}

/** What YAML allows and a configuration does not need: each can make it mean something else than a reader sees. */
function strictnessProblems(
  document: Document,
  problemAt: (offset: number, message: string, fix: string) => Problem,
): Problem[] {
  const problems: Problem[] = [];
  if (document.directives?.yaml.explicit === true)
    problems.push(problemAt(0, 'has a %YAML directive', 'remove that line'));
  visit(document, (_, node) => {
    if (!isNode(node)) return;
    const offset = node.range?.[0] ?? 0;
    if (isAlias(node)) problems.push(problemAt(offset, 'is an alias (*name)', 'write the value out'));
    else if (node.anchor !== undefined)
      problems.push(problemAt(offset, 'has an anchor (&name)', 'remove it and write values out'));
    if (!isMap(node)) return;
    const seen = new Set<unknown>();
    for (const { key } of node.items) {
      const name = isScalar(key) ? key.value : undefined;
      const keyOffset = isNode(key) ? (key.range?.[0] ?? offset) : offset;
      if (seen.has(name))
        problems.push(problemAt(keyOffset, 'is there twice in the same mapping', 'keep one of the two'));
      if (name === '__proto__')
        problems.push(problemAt(keyOffset, 'is not a name that can be used', 'remove it'));
      seen.add(name);
    }
  });
  return problems;
}

function offsetOf(document: Document, path: ValuePath, part: 'key' | undefined): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const [depth, step] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === String(step));
      if (pair === undefined) return offset;
      const key = isNode(pair.key) ? pair.key : undefined;
      offset = key?.range?.[0] ?? offset;
      if (part === 'key' && depth === path.length - 1) return offset;
      node = pair.value;
    } else if (isSeq(node)) node = node.items[Number(step)];
    else return offset;
    if (!isNode(node)) return offset;
    offset = node.range?.[0] ?? offset;
  }
  return offset;
}

function placeOf(lines: LineCounter, offset: number): { readonly line: number; readonly column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** Own words: the parser's may repeat text of the file. */
function sayYamlError(code: ErrorCode): [message: string, fix: string] {
  switch (code) {
    case 'TAB_AS_INDENT':
      return ['is indented with a tab', 'use blanks'];
    case 'BAD_INDENT':
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return ['is indented in a way that cannot be read', 'line it up with its neighbours'];
    case 'MISSING_CHAR':
      return ['lacks a character before this place', 'look for a missing colon, quote, bracket or brace'];
    case 'BAD_SCALAR_START':
    case 'BAD_DQ_ESCAPE':
      return ['is a text that needs other quotes', "put it in single quotes: '...'"];
    case 'MULTIPLE_DOCS':
      return ['begins a second document (---)', 'keep one document'];
    case 'RESOURCE_EXHAUSTION':
      return ['is nested too deeply', 'see docs/configuration.md for what belongs here'];
    case 'TAG_RESOLVE_FAILED':
    case 'MULTIPLE_TAGS':
      return ['has a tag (!name)', 'remove it'];
    case 'BAD_ALIAS':
    case 'ALIAS_PROPS':
    case 'MULTIPLE_ANCHORS':
      return [
        'has an anchor or alias (&name, *name)',
        'write the value out, or put a text that begins so in quotes',
      ];
    case 'NON_STRING_KEY':
      return ['is a key that is no text', 'write a name before the colon'];
    default:
      return [`is not YAML (${printable(code)})`, 'compare the line with docs/configuration.md'];
  }
}
