import type { TransferChannel, TransferChannelOptions, TransferVerdict } from './transfer-channel.ts';
import type { TransferCommand } from './transfer-command.ts';

const pass: TransferVerdict = { kind: 'pass' };

/**
 * rsync and git: what they send is compressed and of their own making, so that there is no more to tell than what the command names, the
 * bytes that passed and how it ended.
 */
export function createOpaqueChannel(
  { now, report }: TransferChannelOptions,
  command: TransferCommand,
): TransferChannel {
  const startedAtMs = now();
  const bytes = { client: 0, target: 0 };

  return {
    fromClient(data) {
      bytes.client += data.length;
      return pass;
    },
    fromTarget(data) {
      bytes.target += data.length;
      return pass;
    },
    end(exitStatus) {
      const paths = command.paths.length === 0 ? [undefined] : command.paths;
      for (const path of paths)
        report({
          protocol: command.protocol,
          operation: 'transfer',
          request: command.protocol,
          direction: command.direction,
          path: path === undefined ? undefined : Buffer.from(path),
          content: {
            bytesRead: bytes.target,
            bytesWritten: bytes.client,
            sha256Status: 'not-read',
            sha256: Promise.resolve(undefined),
          },
          outcome:
            exitStatus === 0
              ? { kind: 'success' }
              : exitStatus === undefined
                ? { kind: 'unfinished' }
                : { kind: 'failure', text: Buffer.from(`exit status ${exitStatus}`) },
          startedAtMs,
          endedAtMs: now(),
        });
    },
  };
}
