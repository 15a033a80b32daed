import type { EventName, Finding } from '#core/contract';
import type { ActionName } from './action-catalogue.ts';
import type { Condition } from './condition.ts';
import type { Schedule } from './schedule.ts';

/** A runbook that was read, checked and found sound. */
export type Runbook = {
  readonly id: string;
  readonly title: string;
  readonly status: 'draft' | 'canary' | 'stable' | 'deprecated';
  readonly severity: Finding['severity'];
  readonly owner: string;
  readonly why: string;
  readonly attack?: { readonly version: string; readonly techniques: readonly string[] };
  readonly controls: Readonly<Record<string, readonly string[]>>;
  readonly inputs: Readonly<Record<string, RunbookInput>>;
  readonly trigger: Trigger;
  /** Trino SQL with `${...}`. */
  readonly sql: string;
  readonly finding: {
    readonly each: string;
    /** Rows of one key that make a finding. */
    readonly threshold: number;
    readonly suppressMs: number;
    readonly title: string;
    readonly columns: readonly string[];
  };
  readonly steps: readonly RunbookStep[];
  readonly escalations: readonly Escalation[];
  readonly falsePositives: readonly string[];
  readonly tests: readonly RunbookTest[];
  /** Markdown. */
  readonly docs: string;
};

export type RunbookInput = {
  readonly type: 'duration' | 'integer' | 'string' | 'boolean' | 'bytes';
  readonly default: InputValue;
  readonly help: string;
};
export type InputValue = string | number | boolean;

export type Trigger = {
  readonly events: readonly EventName[];
  /** From the event to the query. */
  readonly delayMs: number;
  readonly schedule?: Schedule;
  readonly lookbackMs: number;
  /** Reach of `${baseline}`, where the query has it. */
  readonly baselineMs?: number;
};

export type RunbookStep = {
  readonly action: ActionName;
  readonly when?: Condition;
  readonly mode: 'auto' | 'approve' | 'manual';
  readonly limit?: {
    readonly perRun?: number;
    readonly perHour?: number;
    readonly onExceed: 'approve' | 'stop';
  };
  readonly approvers?: { readonly group: string; readonly notSelf: boolean; readonly expiresMs: number };
  readonly message?: string;
  /** Of a lock: how long; without it, until somebody lifts it. */
  readonly forMs?: number;
  readonly why?: string;
};

export type Escalation = {
  /** None: always. */
  readonly when?: Condition;
  readonly to: string;
  readonly priority: string;
  readonly within?: string;
};

export type RunbookTest = {
  readonly name: string;
  readonly given: readonly GivenEvent[];
  readonly inputs: Readonly<Record<string, InputValue>>;
  readonly expect: {
    readonly findings: number | readonly Readonly<Record<string, string | number | boolean | null>>[];
    readonly actions?: readonly ActionName[];
    readonly notActions?: readonly ActionName[];
    readonly pendingApproval?: number;
  };
};

export type GivenEvent = {
  /** Before now. */
  readonly agoMs: number;
  readonly repeat: number;
  readonly everyMs: number;
  readonly eventName: EventName;
  readonly fields: Readonly<Record<string, unknown>>;
};
