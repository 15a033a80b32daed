import type { AcceptedAuditEvent } from './cloudtrail-data.ts';
import { type FakeResponse, jsonError } from './fake-aws.ts';
import type { TrinoResult } from './trino-runner.ts';

export type FakeCloudTrailLakeOptions = {
  readonly account: string;
  readonly region: string;
  /** False: the account had no CloudTrail Lake before it was closed to new customers. */
  readonly entitled?: boolean;
  /** What an account that is not entitled is told; UnsupportedOperationException when absent. */
  readonly refusal?:
    | 'UnsupportedOperationException'
    | 'AccessDeniedException'
    | 'OperationNotPermittedException';
  /** What the channels took. */
  readonly events?: () => readonly AcceptedAuditEvent[];
  /** CloudTrail's records of the account itself; what an event data store of management events holds. */
  readonly managementEvents?: () => readonly object[];
  /** What Trino's own parser has against the statement; nothing when absent. */
  readonly trinoProblems?: (sql: string) => readonly unknown[];
  /** Looks at a query until it runs and until it is done; 1 each when absent. */
  readonly looks?: { readonly queued: number; readonly running: number };
};

export type EventDataStore = {
  readonly id: string;
  readonly arn: string;
  name: string;
  status: 'ENABLED' | 'PENDING_DELETION' | 'STOPPED_INGESTION';
  selectors: readonly unknown[];
  retention: number;
  protected: boolean;
  readonly multiRegion: boolean;
  readonly billing: string;
  readonly kmsKey: string | undefined;
  readonly createdAt: number;
  updatedAt: number;
};

export type Channel = {
  readonly arn: string;
  name: string;
  readonly source: string;
  destinations: readonly { readonly Type: string; readonly Location: string }[];
};

export type LakeQuery = {
  readonly id: string;
  readonly sql: string;
  state: 'QUEUED' | 'RUNNING' | 'FINISHED' | 'FAILED' | 'CANCELLED';
  looks: number;
  error: string | undefined;
  result: TrinoResult | undefined;
  readonly work: Promise<void>;
};

export type Input = Readonly<Record<string, unknown>>;
export type State = {
  readonly options: FakeCloudTrailLakeOptions;
  readonly stores: EventDataStore[];
  readonly channels: Channel[];
  readonly queries: LakeQuery[];
};
export type Operation = (state: State, input: Input) => FakeResponse | Promise<FakeResponse>;

export function refuse(code: string, message: string): FakeResponse {
  return jsonError(400, code, message);
}

export const badParameter = (message: string) => refuse('InvalidParameterException', message);

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
