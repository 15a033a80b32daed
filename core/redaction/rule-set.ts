import { defaultRules } from './default-rules.ts';
import { keyBlockId, keyBlockKeywords } from './key-block.ts';
import { createKeywordScan, type KeywordScan } from './keyword-scan.ts';
import { RedactionError } from './redaction-error.ts';
import { type CompiledRule, compileRule, type RedactionRule } from './rule.ts';

/** Rules ready for use. Made once; holds nothing of what it was used on. */
export type RuleSet = {
  readonly rules: readonly CompiledRule[];
  /** The places of rules in `rules` for each keyword. */
  readonly rulesByKeyword: readonly { readonly keyword: string; readonly rules: readonly number[] }[];
  /** Whether private keys are followed over lines. */
  readonly keyBlocks: boolean;
  /** Text without a hit of it holds no secret that a rule knows. */
  readonly keywords: KeywordScan;
  /** The same for bytes of a terminal: hits also on what must be looked at more closely before that can be said. */
  readonly terminalKeywords: KeywordScan;
  readonly terminalControls: KeywordScan;
};

/** What a value is counted under that was found before, and now without its rule. */
export const repeatedId = 'repeated';
const ownIds = new Set([repeatedId, keyBlockId, ...defaultRules.map(({ id }) => id)]);

export function isOwnRuleId(id: string): boolean {
  return ownIds.has(id);
}

/** @throws RedactionError `bad-rule` */
export function compileRules(options: {
  readonly defaults: boolean;
  readonly rules: readonly RedactionRule[];
}): RuleSet {
  const all = [...(options.defaults ? defaultRules : []), ...options.rules];
  const rules = all.map((rule, index) => {
    const compiled = compileRule(rule, index < all.length - options.rules.length ? 'known' : 'checked');
    if (compiled.ok) return compiled.rule;
    const { at, message, fix } = compiled.problem;
    throw new RedactionError('bad-rule', `${at} of the redaction rule ${rule.id} ${message}; ${fix}`);
  });
  const words = [...(options.defaults ? keyBlockKeywords : []), ...rules.flatMap(({ keywords }) => keywords)];
  return {
    rules,
    rulesByKeyword: byKeyword(rules),
    keyBlocks: options.defaults,
    keywords: createKeywordScan(words, 'text'),
    terminalKeywords: createKeywordScan(words, 'terminal'),
    terminalControls: createKeywordScan([], 'terminal'),
  };
}

function byKeyword(rules: readonly CompiledRule[]): RuleSet['rulesByKeyword'] {
  const places = new Map<string, number[]>();
  for (const [index, { keywords }] of rules.entries())
    for (const keyword of keywords) {
      const known = places.get(keyword);
      if (known === undefined) places.set(keyword, [index]);
      else known.push(index);
    }
  return [...places].map(([keyword, found]) => ({ keyword, rules: found }));
}
