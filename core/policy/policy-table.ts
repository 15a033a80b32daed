import { isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { printable } from '../wording/index.ts';
import { type Explanation, explain } from './explain.ts';
import type { PolicyProblem, PolicySet } from './load-policy.ts';
import { type KnownNames, readRequest, type WrittenRequest, writtenRequest } from './written-request.ts';

const maxCharacters = 1024 * 1024;
const maxTests = 10_000;
const name = z.string().min(1).max(256);

const testLine = z.strictObject({
  ...writtenRequest.shape,
  name: name.optional(),
  expect: z.enum(['allow', 'deny']),
  /** The policy that allows or forbids it, or the reason of a denial such as `no-policy-allows`. */
  because: name.optional(),
  stepUp: z.enum(['none', 'mfa', 'approval', 'mfa-and-approval']).optional(),
});

const tableFile = z.strictObject({
  /** Relative to this file; those of the configuration where there are none. */
  policies: z.array(name).min(1).max(1000).optional(),
  /** Beside those of the configuration. */
  users: z
    .record(
      name,
      z.strictObject({
        groups: z.array(name).max(1000).default([]),
        kind: z.enum(['person', 'service']).default('person'),
      }),
    )
    .default({}),
  targets: z
    .record(
      name,
      z.strictObject({
        host: name.default('target.example.com'),
        port: z.int().min(1).max(65_535).default(22),
        labels: z.record(name, z.string().max(1024)).default({}),
        logins: z.array(name).max(1000).optional(),
      }),
    )
    .default({}),
  tests: z.array(testLine).min(1).max(maxTests),
});

/** Questions to policies with the answers they should get. */
export type PolicyTable = {
  readonly policies: readonly string[] | undefined;
  readonly known: KnownNames;
  readonly tests: readonly PolicyTest[];
};

type PolicyTest = z.output<typeof testLine> & { readonly line: number };

export type PolicyTestResult = {
  readonly name: string;
  readonly line: number;
  /** What was wrong; empty where the test is met. */
  readonly misses: readonly string[];
  /** Absent where no policy was asked. */
  readonly explanation?: Explanation;
};

/** Reads a table in YAML. Aliases are refused: they make small files large. */
export function parsePolicyTable(
  text: string,
  file: string,
):
  | { readonly ok: true; readonly table: PolicyTable }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] } {
  const whole = { file, line: 1, column: 1 };
  if (text.length > maxCharacters)
    return refused([
      { ...whole, message: 'the file is larger than 1 MiB', fix: 'split it into several files' },
    ]);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    merge: false,
  });
  const placeOf = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [broken] = [...document.errors, ...document.warnings];
  if (broken !== undefined)
    return refused([
      {
        ...placeOf(broken.pos[0]),
        message: `is not YAML (${broken.code})`,
        fix: 'compare it with docs/policy.md',
      },
    ]);
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: 0 });
  } catch {
    return refused([{ ...whole, message: 'holds an alias (*name)', fix: 'write the value out' }]);
  }
  const parsed = tableFile.safeParse(data);
  if (!parsed.success)
    return refused(
      parsed.error.issues.slice(0, 200).map(({ path, message }) => ({
        ...placeOf(offsetOf(document, path)),
        message: printable(`${path.map(String).join('.')}: ${message}`),
        fix: 'see "Testing policies" in docs/policy.md',
      })),
    );
  const { policies, users, targets, tests } = parsed.data;
  return {
    ok: true,
    table: {
      policies,
      known: {
        identities: Object.entries(users).map(([user, { groups, kind }]) => ({
          name: user,
          type: kind,
          groups,
        })),
        targets: Object.entries(targets).map(([target, { logins, ...rest }]) => ({
          name: target,
          ...rest,
          ...(logins === undefined ? {} : { logins }),
        })),
      },
      tests: tests.map((test, index) => ({
        ...test,
        line: placeOf(offsetOf(document, ['tests', index])).line,
      })),
    },
  };
}

/** Asks every question of the table. `configured` is who and what there is beside it; the table's own come first. */
export function runPolicyTable(
  policy: PolicySet | undefined,
  table: PolicyTable,
  configured: KnownNames,
  nowMs: number,
): readonly PolicyTestResult[] {
  const known = {
    identities: [...table.known.identities, ...configured.identities],
    targets: [...table.known.targets, ...configured.targets],
  };
  return table.tests.map((test) => runTest(policy, test, known, nowMs));
}

function runTest(
  policy: PolicySet | undefined,
  { line, name: given, expect, because, stepUp, ...written }: PolicyTest,
  known: KnownNames,
  nowMs: number,
): PolicyTestResult {
  const result = { name: given ?? titleOf(written, expect), line };
  const read = readRequest(written, known, nowMs);
  if (read.kind === 'unusable') return { ...result, misses: [read.message] };
  const misses: string[] = [];
  if (read.kind === 'refused') {
    if (expect === 'allow') misses.push(`expected allow, got deny (${read.reason}): ${read.message}`);
    if (because !== undefined && because !== read.reason)
      misses.push(`expected because of ${printable(because)}, got ${read.reason}`);
    return { ...result, misses };
  }
  const explanation = explain(policy, read.request);
  const { decision } = explanation;
  const got = decision.allowed ? 'allow' : 'deny';
  const reasons = [...decision.policyIds, ...(decision.allowed ? [] : [decision.reason])];
  if (got !== expect)
    misses.push(
      `expected ${expect}, got ${got}${decision.allowed ? '' : ` (${decision.reason}): ${decision.message}`}`,
    );
  if (because !== undefined && !reasons.includes(because))
    misses.push(`expected because of ${printable(because)}, got ${reasons.join(', ')}`);
  if (stepUp !== undefined && stepUp !== explanation.stepUp)
    misses.push(`expected the step-up ${stepUp}, got ${explanation.stepUp}`);
  return { ...result, misses, explanation };
}

function titleOf({ user, action, login, target }: WrittenRequest, expect: string): string {
  const where = target === undefined ? '' : ` ${login ?? ''}@${target}`;
  return `${user} ${action}${where}: ${expect}`;
}

function refused(problems: readonly PolicyProblem[]) {
  return { ok: false, problems } as const;
}

/** Where a value stands; the closest thing around it where there is none. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node)) return node.range?.[0] ?? 0;
  }
  return 0;
}
