import {
  actionClass,
  containingActions,
  isLockingAction,
  lockingActions,
  maxUnaskedLockMs,
} from './action-catalogue.ts';
import { inputProblem } from './compile-runbook.ts';
import { conditionColumns, parseCondition } from './condition.ts';
import { durationMs } from './duration.ts';
import { givenProblem } from './given-events.ts';
import { lintSql } from './lint-sql.ts';
import { templateColumns } from './printable-text.ts';
import type { RunbookFile } from './runbook-file.ts';
import { parseSchedule } from './schedule.ts';

export type RawProblem = {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** Lines below the node's first. */
  readonly lineOffset?: number;
};

const hourMs = 3_600_000;

/** What the schema cannot say: how the parts of a runbook must fit each other. */
export function checkRunbook(file: RunbookFile, fileName: string): readonly RawProblem[] {
  return [
    ...nameProblems(file, fileName),
    ...inputProblems(file),
    ...triggerProblems(file),
    ...sqlProblems(file),
    ...findingProblems(file),
    ...file.respond.flatMap((_, index) => stepProblems(file, index)),
    ...orderProblems(file),
    ...escalationProblems(file),
    ...testProblems(file),
  ];
}

function nameProblems(file: RunbookFile, fileName: string): readonly RawProblem[] {
  const base = fileName.split('/').at(-1) ?? '';
  return base.startsWith(`${file.id}-`)
    ? []
    : [
        {
          path: ['id'],
          message: `the file's name must begin with ${file.id}-, so that it is found by its id`,
        },
      ];
}

function inputProblems(file: RunbookFile): readonly RawProblem[] {
  return Object.entries(file.inputs ?? {}).flatMap(([name, input]): readonly RawProblem[] => {
    const message = inputProblem({ ...input, help: '' }, input.default);
    return message === undefined ? [] : [{ path: ['inputs', name, 'default'], message }];
  });
}

function triggerProblems(file: RunbookFile): readonly RawProblem[] {
  const { event, schedule, delay } = file.trigger;
  const problems: RawProblem[] = [];
  if (event === undefined && schedule === undefined)
    problems.push({ path: ['trigger'], message: 'a runbook needs an event or a schedule to run by' });
  if (schedule !== undefined && parseSchedule(schedule) === undefined)
    problems.push({
      path: ['trigger', 'schedule'],
      message: 'write rate(5 minutes), or cron(0 6 * * ? *) with six fields',
    });
  if (delay !== undefined && event === undefined)
    problems.push({
      path: ['trigger', 'delay'],
      message: 'a delay is from an event; name the event or remove it',
    });
  return problems;
}

function sqlProblems(file: RunbookFile): readonly RawProblem[] {
  return lintSql(file.query.sql, {
    inputs: Object.keys(file.inputs ?? {}),
    baseline: file.trigger.baseline !== undefined,
  }).map((problem) => ({
    path: ['query', 'sql'],
    message: problem.message,
    lineOffset: problem.line,
  }));
}

function findingProblems(file: RunbookFile): readonly RawProblem[] {
  const problems = columnProblems(file, ['finding', 'title'], templateColumns(file.finding.title));
  if (!file.finding.columns.includes(file.finding.each))
    problems.push({
      path: ['finding', 'each'],
      message: `${file.finding.each} is not one of the finding's columns; add it`,
    });
  if (new Set(file.finding.columns).size !== file.finding.columns.length)
    problems.push({ path: ['finding', 'columns'], message: 'a column stands there twice; remove one' });
  const suppressMs = durationMs(file.finding.suppress) ?? 0;
  if (suppressMs < (durationMs(file.trigger.lookback) ?? 0))
    problems.push({
      path: ['finding', 'suppress'],
      message: 'must be at least the lookback, or the same rows would be acted on again',
    });
  if (suppressMs < hourMs && file.respond.some((step) => step.limit?.perHour !== undefined))
    problems.push({
      path: ['finding', 'suppress'],
      message:
        'must be at least 1h where a step has a perHour limit, which is counted over the findings kept',
    });
  return problems;
}

function columnProblems(
  file: RunbookFile,
  path: readonly PropertyKey[],
  names: readonly string[],
): RawProblem[] {
  return names
    .filter((name) => !file.finding.columns.includes(name))
    .map((name) => ({
      path,
      message: `${name} is not one of the finding's columns; add it there and to the SELECT`,
    }));
}

function conditionProblems(
  file: RunbookFile,
  path: readonly PropertyKey[],
  text: string | undefined,
): RawProblem[] {
  if (text === undefined) return [];
  const parsed = parseCondition(text);
  return parsed.ok
    ? columnProblems(file, path, conditionColumns(parsed.condition))
    : [{ path, message: `not a condition: ${parsed.message}` }];
}

function stepProblems(file: RunbookFile, index: number): readonly RawProblem[] {
  const step = file.respond[index];
  if (step === undefined) return [];
  const path = ['respond', index];
  const problems = conditionProblems(file, [...path, 'when'], step.when);
  problems.push(...columnProblems(file, [...path, 'message'], templateColumns(step.message ?? '')));
  const grade = actionClass(step.do);
  if (grade !== 'automatic' && step.mode === 'auto')
    problems.push({
      path: [...path, 'mode'],
      message: `${step.do} is never automatic; write mode: approve or manual`,
    });
  if (step.mode === 'approve' && step.approvers === undefined)
    problems.push({ path, message: 'mode approve needs approvers: { group: ... }' });
  if (step.mode === 'auto' && containingActions.includes(step.do)) {
    if (step.limit?.perRun === undefined || step.limit.perHour === undefined)
      problems.push({ path, message: `${step.do} on its own needs limit: { perRun: ..., perHour: ... }` });
    if (step.verify === undefined && !isLockingAction(step.do))
      problems.push({ path, message: `${step.do} on its own needs verify: session.isOpen` });
  }
  problems.push(...lockProblems(file, step, path));
  if (step.do === 'session.revoke') {
    if (!file.finding.columns.includes('session_id'))
      problems.push({ path, message: "session.revoke needs session_id among the finding's columns" });
    if (step.message === undefined)
      problems.push({
        path,
        message: 'session.revoke needs a message that tells the engineer why, and how to come back',
      });
  }
  return problems;
}

function lockProblems(
  { finding }: RunbookFile,
  step: RunbookFile['respond'][number],
  path: readonly PropertyKey[],
): readonly RawProblem[] {
  if (!isLockingAction(step.do))
    return step.for === undefined
      ? []
      : [{ path: [...path, 'for'], message: `${step.do} is no lock and does not last; remove for` }];
  const problems: RawProblem[] = [];
  const { column } = lockingActions[step.do];
  if (!finding.columns.includes(column))
    problems.push({ path, message: `${step.do} needs ${column} among the finding's columns` });
  if (step.message === undefined)
    problems.push({
      path,
      message: `${step.do} needs a message that tells whom it locks why, and whom to ask`,
    });
  const forMs = step.for === undefined ? undefined : durationMs(step.for);
  if (step.mode === 'auto' && (forMs === undefined || forMs > maxUnaskedLockMs))
    problems.push({ path, message: `${step.do} on its own needs for: 30m or such, of at most 24h` });
  if (step.verify !== undefined)
    problems.push({
      path: [...path, 'verify'],
      message: `${step.do} has no live state to look at; remove verify`,
    });
  return problems;
}

/** Evidence before containment. */
function orderProblems(file: RunbookFile): readonly RawProblem[] {
  const firstContaining = file.respond.findIndex((step) => containingActions.includes(step.do));
  const snapshot = file.respond.findIndex(
    (step) => step.do === 'evidence.snapshot' && step.when === undefined,
  );
  if (firstContaining === -1 || (snapshot !== -1 && snapshot < firstContaining)) return [];
  return [
    {
      path: ['respond', firstContaining],
      message: 'evidence comes before containment; put an unconditional evidence.snapshot first',
    },
  ];
}

function escalationProblems(file: RunbookFile): readonly RawProblem[] {
  const problems = file.escalate.flatMap((escalation, index): RawProblem[] => {
    const path = ['escalate', index];
    if ((escalation.when === undefined) === (escalation.else === undefined))
      return [{ path, message: 'write either when: or else: true' }];
    return conditionProblems(file, [...path, 'when'], escalation.when);
  });
  const elses = file.escalate.map((escalation) => escalation.else === true);
  if (elses.indexOf(true) !== elses.length - 1)
    problems.push({
      path: ['escalate'],
      message: 'the last line, and only it, is else: true, so that somebody is always told',
    });
  return problems;
}

function testProblems(file: RunbookFile): readonly RawProblem[] {
  const problems: RawProblem[] = [];
  for (const [index, test] of file.tests.entries()) {
    for (const [at, given] of test.given.entries()) {
      const message = givenProblem(given);
      if (message !== undefined) problems.push({ path: ['tests', index, 'given', at], message });
    }
    for (const name of Object.keys(test.inputs ?? {}))
      if (!Object.hasOwn(file.inputs ?? {}, name))
        problems.push({ path: ['tests', index, 'inputs', name], message: 'this input is not declared' });
    const { findings } = test.expect;
    if (Array.isArray(findings))
      for (const expected of findings)
        problems.push(...columnProblems(file, ['tests', index, 'expect', 'findings'], Object.keys(expected)));
  }
  const counts = file.tests.map(({ expect }) =>
    typeof expect.findings === 'number' ? expect.findings : expect.findings.length,
  );
  if (!counts.includes(0) || counts.every((count) => count === 0))
    problems.push({
      path: ['tests'],
      message: 'there must be a test that finds something and one that finds nothing',
    });
  return problems;
}
