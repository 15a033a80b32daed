import type { CompiledRule } from './rule.ts';
import type { RuleSet } from './rule-set.ts';

/** Where a secret stands in a text, in UTF-16 units. */
export type SecretSpan = { readonly start: number; readonly end: number; readonly ruleId: string };

/** How far back of a match the name of the command is looked for. */
const maxCommandLength = 512;
/** `$NAME`, `${NAME}`, `$1`, `$(command)`: no secret, but the way to one. A secret may begin with `$` too, though hardly in capitals. */
const reference =
  /^["']?\$(?:\(|[0-9@*#?!]$|[A-Z_][A-Z0-9_]{0,63}["']?$|\{[A-Za-z_][A-Za-z0-9_]{0,63}(?:[:?#%/-][^}]{0,64})?\}["']?$)/;
const masked = /^\*+$/;

/** The secrets on one line, in the order of the rules; they may overlap. */
export function findSecrets(line: string, set: RuleSet): readonly SecretSpan[] {
  const lowered = line.toLowerCase();
  const spans: SecretSpan[] = [];
  for (const rule of set.rules)
    if (rule.keywords.some((keyword) => lowered.includes(keyword))) spans.push(...secretsOf(rule, line));
  return spans;
}

function secretsOf(rule: CompiledRule, line: string): SecretSpan[] {
  const spans: SecretSpan[] = [];
  for (const match of line.matchAll(rule.expression)) {
    for (const [start, end] of groupsOf(match, rule.group)) {
      if (start === end || !isSecret(line.slice(start, end))) continue;
      if (rule.after !== undefined && !rule.after.test(commandBefore(line, start))) continue;
      spans.push({ start, end, ruleId: rule.id });
    }
  }
  return spans;
}

function groupsOf(match: RegExpExecArray, group: number | undefined): readonly (readonly [number, number])[] {
  const [whole, ...groups] = match.indices ?? [];
  const chosen = group !== undefined ? [match.indices?.[group]] : groups.length > 0 ? groups : [whole];
  return chosen.filter((range) => range !== undefined);
}

function isSecret(value: string): boolean {
  return !masked.test(value) && !reference.test(value);
}

function commandBefore(line: string, end: number): string {
  const text = line.slice(Math.max(0, end - maxCommandLength), end);
  const from = Math.max(text.lastIndexOf('|'), text.lastIndexOf(';'), text.lastIndexOf('&'));
  return text.slice(from + 1);
}
