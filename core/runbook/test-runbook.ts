import type { AuditRecord, Cell, QueryEngine } from '#core/contract';
import type { LakeEngine } from '#core/lake';
import { compileRunbook } from './compile-runbook.ts';
import { type Decision, decideActions } from './decide-actions.ts';
import { givenRecords, testSessionId } from './given-events.ts';
import { type PlannedFinding, planFindings } from './plan-findings.ts';
import { cellText } from './printable-text.ts';
import { collectRows } from './query-rows.ts';
import type { Runbook, RunbookTest } from './runbook.ts';

/** A lake that holds these records and nothing else. */
export type MakeTestEngine = (
  records: readonly AuditRecord[],
) => Promise<{ readonly engine: QueryEngine; readonly lakeEngine: LakeEngine; close(): Promise<void> }>;

export type RunbookTestResult = {
  readonly name: string;
  /** What was expected and did not come; empty when the test passed. */
  readonly failures: readonly string[];
};

const testDeadlineMs = 60_000;
/** Tests have one clock: noon, so that minutes and hours back stay on the day before at most. */
const testNowMs = Date.UTC(2026, 10, 20, 12);

/** Runs the tests of a runbook: the query that production runs, over the events each test gives. */
export async function testRunbook(
  runbook: Runbook,
  makeEngine: MakeTestEngine,
): Promise<readonly RunbookTestResult[]> {
  const results: RunbookTestResult[] = [];
  for (const test of runbook.tests) results.push(await runTest(runbook, test, makeEngine));
  return results;
}

async function runTest(
  runbook: Runbook,
  test: RunbookTest,
  makeEngine: MakeTestEngine,
): Promise<RunbookTestResult> {
  const lake = await makeEngine(givenRecords(test.given, testNowMs));
  try {
    const sql = compileRunbook(runbook, {
      engine: lake.lakeEngine,
      fromMs: testNowMs - runbook.trigger.lookbackMs,
      toMs: testNowMs,
      inputs: test.inputs,
    });
    const { rows } = await collectRows(lake.engine, sql, testDeadlineMs);
    const planned = planFindings(runbook, rows, testNowMs);
    const decisions = decideAll(runbook, planned);
    return {
      name: test.name,
      failures: [...findingFailures(test, planned), ...actionFailures(test, decisions)],
    };
  } finally {
    await lake.close();
  }
}

/** As a first run over these findings would decide, with the limits counting from nothing. */
function decideAll(runbook: Runbook, planned: readonly PlannedFinding[]): readonly Decision[] {
  const counts = new Map<string, number>();
  return planned.flatMap(({ finding }) => {
    const decisions = decideActions(
      finding,
      runbook.steps,
      { taken: new Map(), takenThisRun: counts, takenLastHour: counts },
      testNowMs,
    );
    for (const { kind, action } of decisions)
      if (kind === 'take') counts.set(action, (counts.get(action) ?? 0) + 1);
    return decisions;
  });
}

function findingFailures(test: RunbookTest, planned: readonly PlannedFinding[]): readonly string[] {
  const { findings } = test.expect;
  const expectedCount = typeof findings === 'number' ? findings : findings.length;
  const failures: string[] = [];
  if (planned.length !== expectedCount)
    failures.push(
      `expected ${expectedCount} findings, got ${planned.length}${planned.map(({ finding }) => `; ${finding.key}`).join('')}`,
    );
  if (typeof findings === 'number') return failures;
  const left = [...planned];
  for (const expected of findings) {
    const index = left.findIndex(({ rows }) =>
      Object.entries(expected).every(([name, value]) => isSame(name, value, rows[0]?.[name])),
    );
    if (index === -1) failures.push(`no finding has ${JSON.stringify(expected)}; ${describeRows(left)}`);
    else left.splice(index, 1);
  }
  return failures;
}

function isSame(name: string, expected: string | number | boolean | null, cell: Cell | undefined): boolean {
  if (expected === null) return cell === null;
  if (cell === null || cell === undefined) return false;
  const text = cellText(cell);
  return text === String(expected) || (name === 'session_id' && text === testSessionId(String(expected)));
}

function describeRows(planned: readonly PlannedFinding[]): string {
  if (planned.length === 0) return 'there are no more';
  return `there are ${planned.map(({ finding }) => JSON.stringify(finding.columns)).join(', ')}`;
}

function actionFailures(test: RunbookTest, decisions: readonly Decision[]): readonly string[] {
  const { actions, notActions = [], pendingApproval } = test.expect;
  const taken = new Set<string>(decisions.filter(({ kind }) => kind === 'take').map(({ action }) => action));
  const failures: string[] = [];
  if (actions !== undefined) {
    const expected = new Set<string>(actions);
    const same = expected.size === taken.size && [...expected].every((action) => taken.has(action));
    if (!same) failures.push(`expected the actions ${list(expected)}, got ${list(taken)}`);
  }
  for (const action of notActions) if (taken.has(action)) failures.push(`${action} was not to be taken`);
  const asked = decisions.filter(({ kind }) => kind === 'ask').length;
  if (pendingApproval !== undefined && asked !== pendingApproval)
    failures.push(`expected ${pendingApproval} steps to wait for approval, got ${asked}`);
  return failures;
}

function list(actions: ReadonlySet<string>): string {
  return actions.size === 0 ? 'none' : [...actions].sort().join(', ');
}
