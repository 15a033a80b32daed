import type { AuditDraft } from '#core/contract';
import { type Refusal, type SessionFacts, transferFile } from '#core/event';
import type { PolicyAction } from '#core/policy';
import {
  type ContentHasher,
  createSftpChannel,
  type FileOperation,
  type TransferChannel,
  type TransferCommand,
  type TransferDenial,
  type TransferVerdict,
} from '#core/transfer';
import type { DataVerdict } from '#ssh';
import type { SessionAccess } from '../session-access.ts';

/** What a channel's transfer needs of its session. */
export type TransferOwner = {
  readonly facts: SessionFacts;
  readonly access: Pick<SessionAccess, 'decide' | 'readsFiles'>;
  readonly now: () => number;
  record(draft: AuditDraft): Promise<void>;
  /** Work nobody awaits: the session ends only after it, and its failure is the session's. */
  owe(work: Promise<void>): void;
  /** Nothing more is read from the engineer before this has settled. */
  holdUntil(work: Promise<void>): void;
  startHasher(): ContentHasher;
};

/** The files of one channel: each is an event, and where policy speaks of files each is judged. */
export type ChannelTransfer = {
  data(from: 'client' | 'target', data: Buffer): DataVerdict;
  /** The channel is closed. */
  end(): void;
};

/** Events of one channel that wait for the journal before its engineer has to. */
const maxWaiting = 256;

/** Undefined where there is nothing to read but the command itself. */
export function createChannelTransfer(
  owner: TransferOwner,
  where: { readonly channel: 'exec' | 'subsystem'; readonly channelId: string },
  command: TransferCommand,
): ChannelTransfer | undefined {
  let waiting = 0;
  let room: PromiseWithResolvers<void> | undefined;

  function report(operation: FileOperation): void {
    waiting += 1;
    owner.owe(
      eventOf(owner, where, operation)
        .then((event) => owner.record(event))
        .finally(() => {
          waiting -= 1;
          if (waiting >= maxWaiting / 2) return;
          room?.resolve();
          room = undefined;
        }),
    );
    if (waiting < maxWaiting || room !== undefined) return;
    room = Promise.withResolvers();
    owner.holdUntil(room.promise);
  }

  const channel = channelOf(owner, command, report);
  if (channel === undefined) return undefined;
  return {
    data: (from, data) => verdictOf(from === 'client' ? channel.fromClient(data) : channel.fromTarget(data)),
    end: () => channel.end(),
  };
}

function channelOf(
  owner: TransferOwner,
  command: TransferCommand,
  report: (operation: FileOperation) => void,
): TransferChannel | undefined {
  const { access, now } = owner;
  const guard = {
    isActive: () => access.readsFiles('upload') || access.readsFiles('download'),
    denialOf: (direction: 'upload' | 'download', path: string) =>
      denialOf(access, { kind: direction, path, program: command.protocol }),
  };
  const options = { now, report, guard, startHasher: () => owner.startHasher() };
  return command.protocol === 'sftp' ? createSftpChannel(options) : undefined;
}

function denialOf(access: TransferOwner['access'], action: PolicyAction): TransferDenial | undefined {
  const decision = access.decide(action);
  return decision.allowed ? undefined : { reason: decision.reason, message: decision.message };
}

function verdictOf(verdict: TransferVerdict): DataVerdict {
  return verdict.kind === 'pass' ? 'pass' : verdict;
}

async function eventOf(
  { facts, now }: TransferOwner,
  where: { readonly channel: 'exec' | 'subsystem'; readonly channelId: string },
  { content, outcome, startedAtMs, endedAtMs, ...operation }: FileOperation,
): Promise<AuditDraft> {
  const at = now();
  const sha256 = await content?.sha256;
  const lost =
    sha256 === undefined && (content?.sha256Status === 'whole' || content?.sha256Status === 'prefix');
  return transferFile(facts, at, {
    ...where,
    ...operation,
    outcome: outcomeNames[outcome.kind],
    bytesRead: content?.bytesRead,
    bytesWritten: content?.bytesWritten,
    sha256,
    sha256Status: lost ? 'hash-failed' : content?.sha256Status,
    status: outcome.kind === 'failure' ? outcome : undefined,
    reason: outcome.kind === 'unparsed' ? outcome.code : undefined,
    seconds: (endedAtMs - startedAtMs) / 1000,
    refused: refusalOf(outcome),
  });
}

const outcomeNames = {
  success: 'Success',
  failure: 'Failure',
  denied: 'Denied',
  unfinished: 'Unfinished',
  unparsed: 'Unparsed',
} as const satisfies Record<FileOperation['outcome']['kind'], string>;

function refusalOf(outcome: FileOperation['outcome']): Refusal | undefined {
  switch (outcome.kind) {
    case 'success':
    case 'unfinished':
      return undefined;
    case 'failure':
      return { errorCode: 'TargetRefused', message: 'the target did not do it; statusText has its words' };
    case 'denied':
      return {
        errorCode: 'AccessDenied',
        denyReason: outcome.denial.reason,
        message: outcome.denial.message,
      };
    case 'unparsed':
      return { errorCode: 'ProtocolError', message: outcome.message };
  }
}
