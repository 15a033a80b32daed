import { closestName, printable } from '../wording/index.ts';
import type { PolicySet } from './load-policy.ts';

/** What a session has to keep to, beside what it may do. Absent is not limited. */
export type SessionRules = {
  /** Without a byte from the engineer. */
  readonly idleTimeoutMs?: number;
  readonly maxDurationMs?: number;
  /** Of the identity, at once, on all gateways. */
  readonly maxSessions?: number;
  readonly requiresReason?: true;
};

type RuleProblem = { readonly message: string; readonly fix: string; readonly annotation: string };

/** Annotations beside `@id`; Cedar itself takes any, and a misspelt one would be a rule that nobody keeps. */
const ruleAnnotations = ['idle_timeout', 'max_duration', 'max_sessions', 'require_reason'] as const;
const annotations: ReadonlySet<string> = new Set(['id', 'advice', ...ruleAnnotations]);

const unitMs: ReadonlyMap<string, number> = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
/** A timer of Node holds 24 days. */
const maxDurationMs = 14 * 86_400_000;
const maxSessionsLimit = 10_000;

/** Reads the annotations of a policy. `opens`: whether it is about `connect`, the only time at which sessions are counted and a reason is asked for. */
export function readSessionRules(
  written: Readonly<Record<string, string | null>>,
  policy: { readonly effect: 'permit' | 'forbid'; readonly opens: boolean },
): { readonly rules: SessionRules } | { readonly problems: readonly RuleProblem[] } {
  const problems: RuleProblem[] = [];
  const rules: { -readonly [Rule in keyof SessionRules]: SessionRules[Rule] } = {};
  for (const [annotation, value] of Object.entries(written)) {
    const problem = (message: string, fix: string) => problems.push({ annotation, message, fix });
    if (!annotations.has(annotation)) problem(...unknownAnnotation(annotation));
    else if (!isRule(annotation)) continue;
    else if (policy.effect === 'forbid')
      problem(
        `@${annotation} stands on a forbid, which no session lives by`,
        'put it on the permit that lets the session in',
      );
    else if (!policy.opens && (annotation === 'max_sessions' || annotation === 'require_reason'))
      problem(
        `@${annotation} stands on a policy that is not about connect, where alone it is looked at`,
        'put it on the permit for Action::"connect"',
      );
    else {
      const wrong = readRule(annotation, value ?? '', rules);
      if (wrong !== undefined) problem(`@${annotation} is not ${wrong}`, examples[annotation]);
    }
  }
  return problems.length > 0 ? { problems } : { rules };
}

/** The rules of the policies that allowed something, of each kind the strictest. */
export function rulesOf(policy: PolicySet | undefined, policyIds: readonly string[]): SessionRules {
  if (policy === undefined) return {};
  let ruled = withRules.get(policy);
  if (ruled === undefined) {
    ruled = new Map(
      policy.policies.flatMap(({ id, rules }) => (Object.keys(rules).length === 0 ? [] : [[id, rules]])),
    );
    withRules.set(policy, ruled);
  }
  return ruled.size === 0 ? {} : strictestRules(policyIds.flatMap((id) => ruled.get(id) ?? []));
}

const withRules = new WeakMap<PolicySet, ReadonlyMap<string, SessionRules>>();

/** What all of them ask for: of each kind the strictest. */
export function strictestRules(all: readonly SessionRules[]): SessionRules {
  const idleTimeoutMs = least([undefined, ...all.map((rules) => rules.idleTimeoutMs)]);
  const longestMs = least([undefined, ...all.map((rules) => rules.maxDurationMs)]);
  const maxSessions = least([undefined, ...all.map((rules) => rules.maxSessions)]);
  return {
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    ...(longestMs === undefined ? {} : { maxDurationMs: longestMs }),
    ...(maxSessions === undefined ? {} : { maxSessions }),
    ...(all.some((rules) => rules.requiresReason === true) ? { requiresReason: true } : {}),
  };
}

function least(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce((one, other) =>
    one === undefined || (other !== undefined && other < one) ? other : one,
  );
}

const examples: Readonly<Record<(typeof ruleAnnotations)[number], string>> = {
  idle_timeout: 'write it as @idle_timeout("15m"): a whole number and s, m, h or d',
  max_duration: 'write it as @max_duration("8h"): a whole number and s, m, h or d',
  max_sessions: 'write it as @max_sessions("3")',
  require_reason: 'write it as @require_reason("true"), or leave it out',
};

function isRule(annotation: string): annotation is (typeof ruleAnnotations)[number] {
  return ruleAnnotations.some((rule) => rule === annotation);
}

function unknownAnnotation(annotation: string): [message: string, fix: string] {
  const meant = closestName(annotation, annotations);
  return [
    `there is no annotation @${printable(annotation)}`,
    meant === undefined
      ? `keep to @${[...annotations].join(', @')}; what is for readers goes into a comment`
      : `did you mean @${meant}?`,
  ];
}

/** Puts the rule in its place, or says what its value should have been. */
function readRule(
  annotation: (typeof ruleAnnotations)[number],
  value: string,
  rules: { -readonly [Rule in keyof SessionRules]: SessionRules[Rule] },
): string | undefined {
  switch (annotation) {
    case 'idle_timeout':
    case 'max_duration': {
      const duration = durationMs(value);
      if (duration === undefined) return 'a time from 1s to 14d';
      if (annotation === 'idle_timeout') rules.idleTimeoutMs = duration;
      else rules.maxDurationMs = duration;
      return undefined;
    }
    case 'max_sessions':
      if (!/^[1-9]\d{0,4}$/.test(value) || Number(value) > maxSessionsLimit)
        return `a whole number from 1 to ${maxSessionsLimit}`;
      rules.maxSessions = Number(value);
      return undefined;
    case 'require_reason':
      if (value !== 'true') return '"true"';
      rules.requiresReason = true;
      return undefined;
    default:
      return annotation satisfies never;
  }
}

function durationMs(text: string): number | undefined {
  const [, count, unit = ''] = /^([1-9]\d{0,6})([smhd])$/.exec(text) ?? [];
  const duration = Number(count) * (unitMs.get(unit) ?? Number.NaN);
  return duration <= maxDurationMs ? duration : undefined;
}
