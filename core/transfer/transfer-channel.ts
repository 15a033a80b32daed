import type { ContentHasher, FileOperation } from './file-operation.ts';
import type { TransferGuard } from './transfer-guard.ts';

export type TransferChannelOptions = {
  readonly now: () => number;
  readonly startHasher: () => ContentHasher;
  /** Told of each operation when it is over. */
  readonly report: (operation: FileOperation) => void;
  readonly guard: TransferGuard;
};

/** What becomes of a packet of a transfer's channel. */
export type TransferVerdict =
  | { readonly kind: 'pass' }
  | {
      readonly kind: 'replace';
      /** In place of the packet, to the other side. */
      readonly onward: readonly Buffer[];
      /** Bytes of the sender that never pass. */
      readonly dropped: number;
      /** Bytes of `onward` the sender never sent. */
      readonly added: number;
      /** To the sender itself. */
      readonly back: readonly Buffer[];
    }
  /** What was sent cannot be judged, so that nothing of it may pass. */
  | { readonly kind: 'refuse'; readonly message: string };

/** A channel of a file transfer, watched and, where policy speaks of files, guarded. */
export interface TransferChannel {
  fromClient(data: Buffer): TransferVerdict;
  fromTarget(data: Buffer): TransferVerdict;
  /** The channel is closed: reports what was not finished. `exitStatus` is the program's, where it said one. */
  end(exitStatus?: number): void;
}
