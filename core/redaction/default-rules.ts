import type { RedactionRule } from './rule.ts';
import { tokenRules } from './token-rules.ts';
import { valueRules } from './value-rules.ts';

/** In order: where two find the same text, it counts for the first. */
export const defaultRules: readonly RedactionRule[] = [...tokenRules, ...valueRules];
