import { type Document, isScalar, LineCounter, parseDocument } from 'yaml';
import { actionProblem } from './action-catalogue.ts';
import { checkRunbook, type RawProblem } from './check-runbook.ts';
import { type ConditionResult, parseCondition } from './condition.ts';
import { durationMs } from './duration.ts';
import { givenEventName } from './given-events.ts';
import type { Escalation, GivenEvent, Runbook, RunbookStep, RunbookTest, Trigger } from './runbook.ts';
import { type RunbookFile, runbookFile } from './runbook-file.ts';
import { parseSchedule } from './schedule.ts';

/** One thing to correct in a file. */
export type RunbookProblem = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Where in the document, e.g. `respond.1.mode`; empty for the whole. */
  readonly path: string;
  /** What is wrong and what to do. */
  readonly message: string;
};

export type ParsedRunbook =
  | { readonly ok: true; readonly runbook: Runbook }
  | { readonly ok: false; readonly problems: readonly RunbookProblem[] };

const maxFileLength = 256 * 1_024;

/** Reads a runbook and reports everything that is wrong with it, not only the first. */
export function parseRunbook(text: string, fileName: string): ParsedRunbook {
  if (text.length > maxFileLength)
    return refuse([
      { file: fileName, line: 1, path: '', message: `a runbook has at most ${maxFileLength} characters` },
    ]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true });
  const locate = (problem: RawProblem) => located(problem, fileName, document, lines);
  const [syntax] = document.errors;
  if (syntax !== undefined)
    return refuse(
      document.errors.map((error) => ({
        file: fileName,
        line: error.linePos?.[0].line ?? 1,
        path: '',
        message: `not YAML: ${firstLine(error.message)}`,
      })),
    );
  const plain = plainValue(document);
  if (!plain.ok) return refuse([locate({ path: [], message: plain.message })]);
  const actionProblems = unknownActions(plain.value);
  const parsed = runbookFile.safeParse(plain.value);
  if (!parsed.success) {
    const known = new Set(actionProblems.map((problem) => problem.path.join('.')));
    const problems = parsed.error.issues
      .map((issue) => ({ path: issue.path, message: issue.message }))
      .filter((problem) => !known.has(problem.path.join('.')));
    return refuse([...actionProblems, ...problems].map(locate).sort((a, b) => a.line - b.line));
  }
  const problems = checkRunbook(parsed.data, fileName);
  if (problems.length > 0) return refuse(problems.map(locate).sort((a, b) => a.line - b.line));
  return { ok: true, runbook: toRunbook(parsed.data) };
}

function refuse(problems: readonly RunbookProblem[]): ParsedRunbook {
  return { ok: false, problems };
}

/** Aliases are for people; a file made to unfold into gigabytes is not read. */
function plainValue(
  document: Document.Parsed,
): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string } {
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    if (error instanceof ReferenceError || error instanceof RangeError)
      return { ok: false, message: `${firstLine(error.message)}; write the values out` };
    throw error;
  }
}

/** The schema's own message lists the actions there are; people want to know about the one they wrote. */
function unknownActions(value: unknown): readonly RawProblem[] {
  if (typeof value !== 'object' || value === null || !('respond' in value) || !Array.isArray(value.respond))
    return [];
  return value.respond.flatMap((step: unknown, index): readonly RawProblem[] => {
    if (typeof step !== 'object' || step === null || !('do' in step) || typeof step.do !== 'string')
      return [];
    const message = actionProblem(step.do);
    return message === undefined ? [] : [{ path: ['respond', index, 'do'], message }];
  });
}

function located(
  problem: RawProblem,
  file: string,
  document: Document.Parsed,
  lines: LineCounter,
): RunbookProblem {
  return {
    file,
    line: nodeLine(document, problem.path, lines) + (problem.lineOffset ?? 0),
    path: problem.path.map(String).join('.'),
    message: problem.message,
  };
}

/** The line of the node, or of the nearest one around it that exists. */
function nodeLine(document: Document.Parsed, path: readonly PropertyKey[], lines: LineCounter): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range))
      continue;
    const start: unknown = node.range[0];
    if (typeof start !== 'number') continue;
    const line = lines.linePos(start).line;
    // The first line of a block scalar is the one below its sign.
    return isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED')
      ? line + 1
      : line;
  }
  return 1;
}

function firstLine(text: string): string {
  return text.split('\n')[0]?.replace(/:$/, '') ?? '';
}

function toRunbook(file: RunbookFile): Runbook {
  return {
    id: file.id,
    title: file.title,
    status: file.status,
    severity: file.severity,
    owner: file.owner,
    why: file.why.trim(),
    ...(file.attack === undefined ? {} : { attack: file.attack }),
    controls: file.controls ?? {},
    inputs: Object.fromEntries(
      Object.entries(file.inputs ?? {}).map(([name, input]) => [
        name,
        { type: input.type, default: input.default, help: input.help ?? '' },
      ]),
    ),
    trigger: toTrigger(file.trigger),
    sql: file.query.sql,
    finding: {
      each: file.finding.each,
      threshold: file.finding.threshold?.count ?? 1,
      suppressMs: ms(file.finding.suppress),
      title: file.finding.title,
      columns: file.finding.columns,
    },
    steps: file.respond.map(toStep),
    escalations: file.escalate.map(toEscalation),
    falsePositives: file.falsePositives ?? [],
    tests: file.tests.map(toTest),
    docs: file.docs,
  };
}

function toTrigger(trigger: RunbookFile['trigger']): Trigger {
  const schedule = trigger.schedule === undefined ? undefined : parseSchedule(trigger.schedule);
  const events = trigger.event === undefined ? [] : [trigger.event].flat();
  return {
    events,
    delayMs: trigger.delay === undefined ? 0 : ms(trigger.delay),
    ...(schedule === undefined ? {} : { schedule }),
    lookbackMs: ms(trigger.lookback),
    ...(trigger.baseline === undefined ? {} : { baselineMs: ms(trigger.baseline) }),
  };
}

function toStep(step: RunbookFile['respond'][number]): RunbookStep {
  const { limit, approvers } = step;
  return {
    action: step.do,
    mode: step.mode,
    ...(step.when === undefined ? {} : { when: sound(parseCondition(step.when)) }),
    ...(limit === undefined
      ? {}
      : {
          limit: {
            onExceed: limit.onExceed,
            ...(limit.perRun === undefined ? {} : { perRun: limit.perRun }),
            ...(limit.perHour === undefined ? {} : { perHour: limit.perHour }),
          },
        }),
    ...(approvers === undefined
      ? {}
      : {
          approvers: {
            group: approvers.group,
            notSelf: approvers.notSelf,
            expiresMs: ms(approvers.expires),
          },
        }),
    ...(step.message === undefined ? {} : { message: step.message }),
    ...(step.for === undefined ? {} : { forMs: ms(step.for) }),
    ...(step.why === undefined ? {} : { why: step.why }),
  };
}

function toEscalation(escalation: RunbookFile['escalate'][number]): Escalation {
  return {
    to: escalation.to,
    priority: escalation.as,
    ...(escalation.when === undefined ? {} : { when: sound(parseCondition(escalation.when)) }),
    ...(escalation.within === undefined ? {} : { within: escalation.within }),
  };
}

function toTest(test: RunbookFile['tests'][number]): RunbookTest {
  const { findings, actions, notActions, pendingApproval } = test.expect;
  return {
    name: test.name,
    given: test.given.map(toGiven),
    inputs: test.inputs ?? {},
    expect: {
      findings,
      ...(actions === undefined ? {} : { actions }),
      ...(notActions === undefined ? {} : { notActions }),
      ...(pendingApproval === undefined ? {} : { pendingApproval }),
    },
  };
}

function toGiven(given: RunbookFile['tests'][number]['given'][number]): GivenEvent {
  const { at, repeat, every, ...rest } = given;
  const eventName = givenEventName(rest);
  if (eventName === undefined) throw new TypeError('a given event was not checked before it was converted');
  return {
    agoMs: ms(at.slice(1)),
    repeat: repeat ?? 1,
    everyMs: every === undefined ? 0 : ms(every),
    eventName,
    fields: objectFields(rest[eventName]),
  };
}

function objectFields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function ms(text: string): number {
  const value = durationMs(text);
  if (value === undefined) throw new TypeError(`${text} was not checked before it was converted`);
  return value;
}

function sound(result: ConditionResult) {
  if (!result.ok)
    throw new TypeError(`a condition was not checked before it was converted: ${result.message}`);
  return result.condition;
}
