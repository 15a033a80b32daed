import { z } from 'zod';
import type { AutomationComparison, AutomationDocument, AutomationStep } from './ssm-automation-document.ts';

export type FakeStep = {
  readonly name: string;
  readonly action: string;
  status: 'InProgress' | 'Waiting' | 'Success' | 'Failed';
  failure: string | undefined;
  readonly outputs: Record<string, string>;
};

export type FakeExecution = {
  readonly id: string;
  readonly document: string;
  readonly documentVersion: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly clientToken: string | undefined;
  status: 'InProgress' | 'Waiting' | 'Success' | 'Failed';
  failure: string | undefined;
  /** Those begun so far. */
  readonly steps: FakeStep[];
  /** What each function gave, in order. */
  readonly outputs: unknown[];
};

export type RunWorld = {
  readonly invoke: (functionArn: string, payload: unknown) => Promise<unknown>;
  readonly sleep: (ms: number) => Promise<void>;
  /** The next decision on the execution. */
  readonly decision: (execution: FakeExecution) => Promise<'Approve' | 'Reject'>;
};

/** Takes the steps of the document until it ends; never rejects. */
export async function runDocument(
  document: AutomationDocument,
  execution: FakeExecution,
  world: RunWorld,
): Promise<void> {
  const byName = new Map(document.mainSteps.map((step, index) => [step.name, { step, index }]));
  let next: string | undefined = document.mainSteps[0]?.name;
  // A branch may lead back; nobody means to go on for ever.
  for (let count = 0; next !== undefined && count < 1000; count += 1) {
    const at = byName.get(next);
    if (at === undefined) break;
    const { step, index } = at;
    const taken: FakeStep = {
      name: step.name,
      action: step.action,
      status: 'InProgress',
      failure: undefined,
      outputs: {},
    };
    execution.steps.push(taken);
    const following = step.isEnd ? undefined : (step.nextStep ?? document.mainSteps[index + 1]?.name);
    try {
      const chosen = await take(step, taken, execution, world);
      taken.status = 'Success';
      next = step.action === 'aws:branch' ? chosen : following;
    } catch (error) {
      taken.status = 'Failed';
      taken.failure = error instanceof Error ? error.message : String(error);
      if (step.onFailure === 'Abort') {
        execution.failure = `Step fails when it is Execute/Cancelling action. ${taken.failure}`;
        execution.status = 'Failed';
        return;
      }
      next = step.onFailure === 'Continue' ? following : step.onFailure.slice('step:'.length);
    }
  }
  const critical = execution.steps.find(
    ({ name, status }) => status === 'Failed' && byName.get(name)?.step.isCritical !== false,
  );
  execution.failure = critical?.failure;
  execution.status = critical === undefined ? 'Success' : 'Failed';
}

/** Where a branch leads, of other steps nothing. */
async function take(
  step: AutomationStep,
  taken: FakeStep,
  execution: FakeExecution,
  world: RunWorld,
): Promise<string | undefined> {
  switch (step.action) {
    case 'aws:branch':
      return branch(step, execution);
    case 'aws:approve':
      return approve(step, taken, execution, world);
    case 'aws:sleep':
      return sleep(step, world);
    case 'aws:invokeLambdaFunction':
      return invoke(step, taken, execution, world);
  }
}

type StepOf<Action extends AutomationStep['action']> = Extract<AutomationStep, { action: Action }>;

function branch({ inputs }: StepOf<'aws:branch'>, execution: FakeExecution): string {
  const holds = (comparison: AutomationComparison) => compare(comparison, execution);
  const chosen = inputs.Choices.find(({ Not, And, Or, Variable, ...rest }) => {
    const { NextStep, ...operators } = rest;
    if (NextStep === '') return false;
    if (Not !== undefined) return !holds(Not);
    if (And !== undefined) return And.every(holds);
    if (Or !== undefined) return Or.some(holds);
    return Variable !== undefined && holds({ Variable, ...operators });
  });
  const next = chosen?.NextStep ?? inputs.Default;
  if (next === undefined) throw new Error('no choice of the branch fits, and it has no default');
  return next;
}

function compare(comparison: AutomationComparison, execution: FakeExecution): boolean {
  const value = String(fill(comparison.Variable, execution));
  const { StringEquals, EqualsIgnoreCase, StartsWith, EndsWith, Contains, BooleanEquals } = comparison;
  if (StringEquals !== undefined) return value === StringEquals;
  if (EqualsIgnoreCase !== undefined) return value.toLowerCase() === EqualsIgnoreCase.toLowerCase();
  if (StartsWith !== undefined) return value.startsWith(StartsWith);
  if (EndsWith !== undefined) return value.endsWith(EndsWith);
  if (Contains !== undefined) return value.includes(Contains);
  return BooleanEquals !== undefined && value === String(BooleanEquals);
}

async function approve(
  { inputs }: StepOf<'aws:approve'>,
  taken: FakeStep,
  execution: FakeExecution,
  world: RunWorld,
): Promise<undefined> {
  for (let approvals = 0; approvals < inputs.MinRequiredApprovals; approvals += 1) {
    const deciding = world.decision(execution);
    taken.status = 'Waiting';
    execution.status = 'Waiting';
    const decision = await deciding;
    execution.status = 'InProgress';
    taken.outputs['ApprovalStatus'] = decision === 'Approve' ? 'Approved' : 'Rejected';
    if (decision === 'Reject') throw new Error('Approval step is rejected.');
  }
}

async function sleep({ inputs }: StepOf<'aws:sleep'>, world: RunWorld): Promise<undefined> {
  if (inputs.Timestamp !== undefined) {
    await world.sleep(Math.max(0, Date.parse(inputs.Timestamp) - Date.now()));
    return;
  }
  const [, hours = 0, minutes = 0, seconds = 0] =
    /^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?$/.exec(inputs.Duration ?? '') ?? [];
  await world.sleep(((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000);
}

async function invoke(
  { inputs, maxAttempts, outputs }: StepOf<'aws:invokeLambdaFunction'>,
  taken: FakeStep,
  execution: FakeExecution,
  world: RunWorld,
): Promise<undefined> {
  const payload =
    inputs.Payload === undefined
      ? fill(inputs.InputPayload ?? {}, execution)
      : (JSON.parse(String(fill(inputs.Payload, execution))) as unknown);
  const name = String(fill(inputs.FunctionName, execution));
  for (let attempts = 1; ; attempts += 1) {
    try {
      const result: unknown = (await world.invoke(name, payload)) ?? null;
      execution.outputs.push(result);
      taken.outputs['StatusCode'] = '200';
      taken.outputs['Payload'] = JSON.stringify(result);
      for (const { Name, Selector } of outputs)
        taken.outputs[Name] = asText(select({ Payload: result }, Selector));
      return;
    } catch (error) {
      if (attempts >= maxAttempts) throw error;
    }
  }
}

/** `$.Payload.a.b`. */
function select(value: unknown, selector: string): unknown {
  let found = value;
  for (const part of selector.split('.').slice(1))
    found = z.record(z.string(), z.unknown()).safeParse(found).data?.[part];
  return found;
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** Puts values for `{{ names }}` in every text of the input. */
function fill(value: unknown, execution: FakeExecution): unknown {
  if (typeof value === 'string')
    return value.replace(/\{\{ ?([^{} ]+) ?\}\}/g, (_all, name: string) => valueOf(name, execution));
  if (Array.isArray(value)) return value.map((each) => fill(each, execution));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, fill(each, execution)]));
}

function valueOf(name: string, execution: FakeExecution): string {
  if (name === 'automation:EXECUTION_ID') return execution.id;
  const [stepName = '', output = ''] = name.split('.');
  const value = name.includes('.')
    ? execution.steps.findLast((step) => step.name === stepName)?.outputs[output]
    : execution.parameters[name];
  if (value === undefined) throw new Error(`{{ ${name} }} has no value`);
  return value;
}
