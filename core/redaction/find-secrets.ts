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
  const due = new Set<number>();
  for (const { keyword, rules } of set.rulesByKeyword)
    if (lowered.includes(keyword)) for (const rule of rules) due.add(rule);
  const spans: SecretSpan[] = [];
  for (const index of [...due].sort((one, other) => one - other)) {
    const rule = set.rules[index];
    if (rule !== undefined) addSecrets(rule, line, spans);
  }
  return spans;
}

function addSecrets(rule: CompiledRule, line: string, spans: SecretSpan[]): void {
  const { expression, after, id } = rule;
  expression.lastIndex = 0;
  for (let match = expression.exec(line); match !== null; match = expression.exec(line)) {
    if (match[0] === '') expression.lastIndex += 1;
    for (const [start, end] of groupsOf(match, rule.group)) {
      if (start === end || !isSecret(line.slice(start, end))) continue;
      if (after !== undefined && !after.test(commandBefore(line, start))) continue;
      spans.push({ start, end, ruleId: id });
    }
  }
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
