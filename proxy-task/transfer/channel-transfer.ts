import type { AuditDraft } from '#core/contract';
import { type Refusal, type SessionFacts, transferFile } from '#core/event';
import type { PolicyAction } from '#core/policy';
import {
  createOpaqueChannel,
  createScpChannel,
  createSftpChannel,
  type FileOperation,
  type TransferChannel,
  type TransferCommand,
  type TransferDenial,
} from '#core/transfer';
import type { DataVerdict } from '#ssh';
import type { SessionAccess } from '../session-access.ts';
import type { ContentHashing } from './content-hashing.ts';

/** What a channel's transfer needs of its session. */
export type TransferOwner = {
  readonly facts: SessionFacts;
  readonly access: Pick<SessionAccess, 'decide' | 'readsFiles'>;
  readonly now: () => number;
  record(draft: AuditDraft): Promise<void>;
  /** Work nobody awaits: the session ends only after it, and its failure is the session's. */
  owe(work: Promise<void>): void;
  /** Nothing more is read from either side before this has settled. */
  holdUntil(work: Promise<void>): void;
  readonly hashing: Pick<ContentHashing, 'start' | 'room'>;
};

/** The files of one channel: each is an event, and where policy speaks of files each is judged. */
export type ChannelTransfer = {
  data(from: 'client' | 'target', data: Buffer): DataVerdict;
  /** The channel is closed; `exitStatus` is the program's, where it said one. */
  end(exitStatus: number | undefined): void;
};

/** Events of one channel that wait for the journal before its engineer has to. */
const maxWaiting = 256;

export function createChannelTransfer(
  owner: TransferOwner,
  where: { readonly channel: 'exec' | 'subsystem'; readonly channelId: string },
  command: TransferCommand,
): ChannelTransfer {
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
  let holding = false;
  /** The thread that hashes is behind: whoever sends has to wait for it. */
  function waitForRoom(): void {
    const wanted = holding ? undefined : owner.hashing.room();
    if (wanted === undefined) return;
    holding = true;
    owner.holdUntil(
      wanted.then(() => {
        holding = false;
      }),
    );
  }

  return {
    data(from, data) {
      const verdict = from === 'client' ? channel.fromClient(data) : channel.fromTarget(data);
      waitForRoom();
      return verdict.kind === 'pass' ? 'pass' : verdict;
    },
    end: (exitStatus) => channel.end(exitStatus),
  };
}

function channelOf(
  owner: TransferOwner,
  command: TransferCommand,
  report: (operation: FileOperation) => void,
): TransferChannel {
  const { access, now } = owner;
  const guard = {
    readsFiles: (direction: 'upload' | 'download') => access.readsFiles(direction),
    denialOf: (direction: 'upload' | 'download', path: string, bytes?: number) =>
      denialOf(access, {
        kind: direction,
        path,
        ...(bytes === undefined ? {} : { bytes }),
        program: command.protocol,
      }),
  };
  const options = { now, report, guard, startHasher: () => owner.hashing.start() };
  switch (command.protocol) {
    case 'sftp':
      return createSftpChannel(options);
    case 'scp':
      return createScpChannel(options, command);
    case 'rsync':
    case 'git':
      return createOpaqueChannel(options, command);
  }
}

function denialOf(access: TransferOwner['access'], action: PolicyAction): TransferDenial | undefined {
  const decision = access.decide(action);
  return decision.allowed ? undefined : { reason: decision.reason, message: decision.message };
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
