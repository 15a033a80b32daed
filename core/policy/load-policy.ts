import { createHash } from 'node:crypto';
import {
  type ActionConstraint,
  type DetailedError,
  type PolicyJson,
  policySetTextToParts,
  policyToJson,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import { printable } from '../wording/index.ts';
import policySchema from './cedar-schema.json' with { type: 'json' };
import { entityKey, type ReadNames } from './policy-request.ts';
import { type NamedEntity, namesIn, testsContextFor } from './read-names.ts';
import { coversAction } from './scope.ts';
import { readSessionRules, type SessionRules } from './session-rules.ts';

export type PolicySource = { readonly file: string; readonly text: string };

export type PolicyProblem = {
  readonly file: string;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What to do about it. */
  readonly fix: string;
};

export type LoadedPolicy = {
  /** From its `@id` annotation; unique within the set. */
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly file: string;
  readonly line: number;
  readonly text: string;
  /** From its `@advice` annotation: what an engineer whom it forbids something is told. */
  readonly advice?: string;
  /** From its other annotations. */
  readonly rules: SessionRules;
  readonly cedar: PolicyJson;
  readonly names: ReadNames & { readonly named: readonly NamedEntity[] };
};

/** Policies that were all read, all valid, none left out. Made by `loadPolicy` only. */
export type PolicySet = {
  readonly policies: readonly LoadedPolicy[];
  /** SHA-256 over what was loaded, hex: the same text is the same version. */
  readonly version: string;
};

const maxFileBytes = 1024 * 1024;
const maxPolicies = 10_000;
const maxProblems = 200;

/** Reads policies as Cedar text and checks them against the schema. One that cannot be used refuses them all: half a policy set is none. */
export function loadPolicy(
  sources: readonly PolicySource[],
):
  | { readonly ok: true; readonly policy: PolicySet }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] } {
  const problems: PolicyProblem[] = [];
  const policies: LoadedPolicy[] = [];
  for (const source of sources) {
    const place = { file: source.file, line: 1, column: 1 };
    if (Buffer.byteLength(source.text) > maxFileBytes) {
      problems.push({
        ...place,
        message: 'the file is larger than 1 MiB',
        fix: 'split it into several files',
      });
      continue;
    }
    const read = readPolicies(source);
    policies.push(...read.policies);
    problems.push(...read.problems);
  }
  problems.push(...duplicateIds(policies));
  if (policies.length > maxPolicies)
    problems.push(
      setProblem(
        sources,
        `there are more than ${maxPolicies} policies`,
        'say the same with groups and labels',
      ),
    );
  if (policies.length === 0 && problems.length === 0)
    problems.push(
      setProblem(
        sources,
        'there is no policy, so that nothing would be allowed',
        'add a permit policy; core/policy/starter.cedar is one to begin with',
      ),
    );
  if (problems.length > 0) return { ok: false, problems: problems.slice(0, maxProblems) };
  return { ok: true, policy: { policies, version: versionOf(policies) } };
}

function readPolicies(source: PolicySource): {
  readonly policies: readonly LoadedPolicy[];
  readonly problems: readonly PolicyProblem[];
} {
  const parts = policySetTextToParts(source.text);
  if (parts.type === 'failure')
    return { policies: [], problems: parts.errors.flatMap((error) => cedarProblems(source, error)) };
  const [template] = parts.policy_templates;
  if (template !== undefined)
    return {
      policies: [],
      problems: [
        {
          file: source.file,
          ...placeAt(source.text, Math.max(0, source.text.indexOf(template))),
          message: 'a policy template (?principal, ?resource) has nothing to be linked with here',
          fix: 'write the policy out, for a group if it is for many',
        },
      ],
    };
  const policies: LoadedPolicy[] = [];
  const problems: PolicyProblem[] = [];
  for (const { text, start } of inFileOrder(source.text, parts.policies)) {
    const read = readPolicy(source, text, start);
    if ('problems' in read) problems.push(...read.problems);
    else policies.push(read.policy);
  }
  return { policies, problems: [...problems, ...invalid(source)] };
}

function readPolicy(
  source: PolicySource,
  text: string,
  start: number,
): { readonly policy: LoadedPolicy } | { readonly problems: readonly PolicyProblem[] } {
  const place = { file: source.file, ...placeAt(source.text, start) };
  const answer = policyToJson(text);
  if (answer.type === 'failure')
    return { problems: [cedarProblems(source, answer.errors[0])[0] ?? { ...place, ...unreadable }] };
  const cedar = answer.json;
  const annotations = cedar.annotations ?? {};
  const id = annotations['id'];
  if (typeof id !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/.test(id))
    return {
      problems: [
        {
          ...place,
          message: 'the policy has no usable name',
          fix: 'write @id("a-name") before it: letters, digits and . _ : / -, at most 128; the audit trail names policies by it',
        },
      ],
    };
  const read = readSessionRules(annotations, { effect: cedar.effect, opens: opensConnections(cedar.action) });
  if ('problems' in read)
    return {
      problems: read.problems.map(({ annotation, message, fix }) => ({
        file: source.file,
        ...placeAt(source.text, start + annotationOffset(text, annotation)),
        message,
        fix,
      })),
    };
  if (testsContextFor(cedar, 'reason'))
    return {
      problems: [
        {
          ...place,
          message: 'context has reason always holds: where none was given, the reason is ""',
          fix: 'write context.reason != ""',
        },
      ],
    };
  const advice = annotations['advice'];
  return {
    policy: {
      id,
      effect: cedar.effect,
      file: source.file,
      line: place.line,
      text,
      ...(typeof advice === 'string' && advice !== '' ? { advice } : {}),
      rules: read.rules,
      cedar,
      names: namesIn(cedar),
    },
  };
}

/** Where `@name` stands before the policy's own words; its beginning where that cannot be told. */
function annotationOffset(text: string, name: string): number {
  for (const { 0: found, index } of text.matchAll(/@\s*(\w+)|"(?:[^"\\]|\\.)*"|\/\/[^\n]*/g))
    if (found.startsWith('@') && found.slice(1).trim() === name) return index;
  return 0;
}

function opensConnections(action: ActionConstraint): boolean {
  return coversAction(action, new Set([entityKey('Action', 'connect'), entityKey('Action', 'session')]));
}

const unreadable = { message: 'the policy cannot be read', fix: 'compare it with docs/policy.md' };

/**
 * Errors and warnings of Cedar's validator. A policy that can never apply is refused too: a forbid like that protects nothing.
 * The schema is in its JSON form, since reading the other one is most of what a command or a gateway would do at its start.
 */
function invalid(source: PolicySource): PolicyProblem[] {
  const answer = validate({ schema: policySchema, policies: { staticPolicies: source.text } });
  if (answer.type === 'failure') return answer.errors.flatMap((error) => cedarProblems(source, error));
  const seen = new Set<string>();
  const problems: PolicyProblem[] = [];
  // The same mistake comes once for each action; and a mistake also brings the warning that its policy is impossible.
  for (const { error, policyId } of answer.validationErrors) {
    const key = `${policyId} ${error.sourceLocations?.[0]?.start}`;
    if (seen.has(key)) continue;
    seen.add(key).add(policyId);
    problems.push(...cedarProblems(source, error));
  }
  for (const { error, policyId } of answer.validationWarnings) {
    if (seen.has(policyId)) continue;
    seen.add(policyId);
    problems.push(...cedarProblems(source, error));
  }
  return problems;
}

function cedarProblems(source: PolicySource, error: DetailedError | undefined): PolicyProblem[] {
  if (error === undefined) return [];
  const [location] = error.sourceLocations ?? [];
  const message = error.message
    .replace(/^for policy `[^`]*`, /, '')
    .replace(/^failed to parse policies from string: /, '')
    .replace(
      / in context for Action::"\w+" not found$/,
      ' in the context of every action it is for not found',
    );
  return [
    {
      file: source.file,
      ...placeAt(source.text, characterOffset(source.text, location?.start ?? 0)),
      message: printable(message),
      fix: printable(fixFor(message, error.help ?? location?.label ?? undefined)),
    },
  ];
}

function fixFor(message: string, help: string | undefined): string {
  if (message.includes('`labels'))
    return 'write resource in HostGroup::"env=prod", or resource.hasTag("env") && resource.getTag("env") == "prod"';
  return help?.replace(/^for policy `[^`]*`, /, '') ?? 'compare it with core/policy/sshtrail.cedarschema';
}

function duplicateIds(policies: readonly LoadedPolicy[]): PolicyProblem[] {
  const first = new Map<string, LoadedPolicy>();
  const problems: PolicyProblem[] = [];
  for (const policy of policies) {
    const earlier = first.get(policy.id);
    if (earlier === undefined) first.set(policy.id, policy);
    else
      problems.push({
        file: policy.file,
        line: policy.line,
        column: 1,
        message: `two policies are called "${policy.id}"; the other is at ${printable(earlier.file)}:${earlier.line}`,
        fix: 'give each an @id of its own',
      });
  }
  return problems;
}

/** Cedar hands policies out as policy0, policy1, policy10, policy2...; this finds each where it stands. */
function inFileOrder(
  text: string,
  policies: readonly string[],
): { readonly text: string; readonly start: number }[] {
  const names = policies.map((_, index) => `policy${index}`).sort();
  const ordered = policies
    .map((policy, index) => ({ policy, position: Number(names[index]?.slice('policy'.length)) }))
    .sort((one, other) => one.position - other.position);
  let end = 0;
  return ordered.map(({ policy }) => {
    const start = Math.max(end, findOutsideComments(text, policy, end));
    end = start;
    return { text: policy, start };
  });
}

function findOutsideComments(text: string, policy: string, from: number): number {
  let start = text.indexOf(policy, from);
  const first = start;
  while (start >= 0) {
    const lineStart = text.lastIndexOf('\n', start - 1) + 1;
    if (start === 0 || !text.slice(lineStart, start).includes('//')) return start;
    start = text.indexOf(policy, start + 1);
  }
  return Math.max(0, first);
}

function setProblem(sources: readonly PolicySource[], message: string, fix: string): PolicyProblem {
  return { file: sources[0]?.file ?? 'policies', line: 1, column: 1, message, fix };
}

/** Cedar counts bytes of UTF-8. */
function characterOffset(text: string, bytes: number): number {
  return Buffer.from(text).subarray(0, bytes).toString().length;
}

function placeAt(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function versionOf(policies: readonly LoadedPolicy[]): string {
  const hash = createHash('sha256');
  for (const { id, text } of policies) hash.update(`${id}\0${Buffer.byteLength(text)}\0${text}\0`);
  return hash.digest('hex');
}
