import { maskOf } from './cell-width.ts';
import { findSecrets, type SecretSpan } from './find-secrets.ts';
import { followKeyBlock, type KeyBlock, keyBlockId, noKeyBlock } from './key-block.ts';
import { type RuleSet, repeatedId } from './rule-set.ts';
import type { ValueMemory } from './value-memory.ts';

export type RedactedText = {
  readonly text: string;
  /** How many secrets, by rule. */
  readonly found: Readonly<Record<string, number>>;
};

/**
 * A text with asterisks for its secrets, as many as they take cells of a terminal. With a memory, what is found is remembered and
 * what was remembered is found.
 */
export function redactText(text: string, set: RuleSet, memory?: ValueMemory): RedactedText {
  const found: Record<string, number> = {};
  let block: KeyBlock = noKeyBlock;
  const lines = text.split('\n').map((line) => {
    const looked = secretsOfLine(line, set, block, memory);
    block = looked.block;
    let at = 0;
    let redacted = '';
    for (const { start, end, ruleId } of looked.spans) {
      found[ruleId] = (found[ruleId] ?? 0) + 1;
      memory?.remember(line.slice(start, end));
      redacted += line.slice(at, start) + maskOf(line.slice(start, end));
      at = end;
    }
    return redacted + line.slice(at);
  });
  return { text: lines.join('\n'), found };
}

/** The secrets of one line, and the key block the next one begins in. Remembers nothing. */
export function secretsOfLine(
  line: string,
  set: RuleSet,
  block: KeyBlock,
  memory?: ValueMemory,
): { readonly spans: readonly SecretSpan[]; readonly block: KeyBlock } {
  const bytes = Buffer.from(line, 'utf8');
  const hasKeyword = set.keywords.find(bytes, 0, bytes.length);
  if (!hasKeyword && block.kind === 'none' && (memory?.size ?? 0) === 0) return { spans: [], block };
  const key = set.keyBlocks ? followKeyBlock(block, line) : { block, ranges: [] };
  const spans = [
    ...key.ranges.map((range) => ({ ...range, ruleId: keyBlockId })),
    ...(hasKeyword ? findSecrets(line, set) : []),
    ...repeatedIn(line, bytes, memory),
  ];
  return { spans: separate(spans), block: key.block };
}

function repeatedIn(line: string, bytes: Buffer, memory: ValueMemory | undefined): SecretSpan[] {
  const repeated = memory?.find(bytes) ?? [];
  const unit = (offset: number) =>
    bytes.length === line.length ? offset : bytes.toString('utf8', 0, offset).length;
  return repeated.map(({ start, end }) => ({ start: unit(start), end: unit(end), ruleId: repeatedId }));
}

/** In order and without overlap: those that overlap become one, of the first rule. */
function separate(spans: readonly SecretSpan[]): readonly SecretSpan[] {
  if (spans.length < 2) return spans;
  const sorted = spans
    .map((span, rank) => ({ ...span, rank }))
    .sort((a, b) => a.start - b.start || a.rank - b.rank);
  const result: (typeof sorted)[number][] = [];
  for (const span of sorted) {
    const last = result.at(-1);
    if (last === undefined || span.start >= last.end) result.push(span);
    else {
      const winner = span.rank < last.rank ? span : last;
      result[result.length - 1] = { ...winner, start: last.start, end: Math.max(last.end, span.end) };
    }
  }
  return result;
}
