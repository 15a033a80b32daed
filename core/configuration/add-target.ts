import { isMap, isNode, isSeq, parseDocument, stringify, type YAMLSeq } from 'yaml';

/** A target as somebody adds it. */
export type NewTarget = {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Any where there are none. */
  readonly logins: readonly string[];
  /** Lines of public keys: the host's own, or its authority's. */
  readonly trust: { readonly kind: 'pinned' | 'authority'; readonly keys: readonly string[] };
};

/** The target as an item of `targets`, ready to be pasted: lines that each begin with the indentation. */
export function targetLines(target: NewTarget, indentation: string): readonly string[] {
  return stringify([written(target)], { lineWidth: 0 })
    .trimEnd()
    .split('\n')
    .map((line) => `${indentation}${line}`);
}

/**
 * The text of a configuration that can be used, with one more target at the end of its list, and every other byte as it was; where
 * the list is written in brackets, with the layout that YAML gives it. What comes out is still to be parsed: the target may be none.
 */
export function addTarget(text: string, target: NewTarget): string {
  const document = parseDocument(text, { stringKeys: true });
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n';
  const list = isMap(document.contents) ? document.contents.get('targets', true) : undefined;
  if (!isSeq(list)) return text;
  const last = list.items.at(-1);
  if (last === undefined) {
    const [start, end] = list.range ?? [0, 0];
    const before = text.slice(0, start).trimEnd();
    return insertLines(before + text.slice(end), before.length, targetLines(target, '  '), lineEnd);
  }
  if (list.flow !== true)
    return insertLines(text, endOf(last), targetLines(target, indentationOf(text, list)), lineEnd);
  list.add(document.createNode(written(target)));
  const laidOut = document.toString({ lineWidth: 0 });
  return lineEnd === '\n' ? laidOut : laidOut.replaceAll('\n', lineEnd);
}

function written({ name, host, port, labels, logins, trust }: NewTarget): Record<string, unknown> {
  return {
    name,
    host,
    ...(port === 22 ? {} : { port }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(logins.length === 0 ? {} : { logins }),
    ...(trust.kind === 'pinned' ? { hostKeys: trust.keys } : { hostAuthority: { keys: trust.keys } }),
  };
}

/** What stands before the dash of an item. */
function indentationOf(text: string, list: YAMLSeq): string {
  const start = list.range?.[0] ?? 0;
  return text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
}

/** Where the last thing that is written of a node ends; comments behind it are no part of it. */
function endOf(node: unknown): number {
  if (isMap(node) && node.flow !== true) {
    const pair = node.items.at(-1);
    const value = pair === undefined ? 0 : endOf(pair.value);
    return Math.max(value, pair === undefined ? 0 : endOf(pair.key));
  }
  if (isSeq(node) && node.flow !== true) return endOf(node.items.at(-1));
  return isNode(node) ? (node.range?.[1] ?? 0) : 0;
}

/** Whole lines, after the line in which `offset` lies. */
function insertLines(text: string, offset: number, lines: readonly string[], lineEnd: string): string {
  // The text of a block ends behind its line.
  const lineBreak = text.indexOf('\n', Math.max(0, offset - 1));
  const block = lines.join(lineEnd);
  if (lineBreak < 0) return `${text}${lineEnd}${block}${lineEnd}`;
  const at = lineBreak + 1;
  return `${text.slice(0, at)}${block}${lineEnd}${text.slice(at)}`;
}
