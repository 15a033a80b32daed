import { commandAction, type PolicyAction } from '#core/policy';
import { type TransferCommand, transferCommandOf } from '#core/transfer';

type Direction = 'upload' | 'download';
type FileAccess = { readsFiles(direction: Direction): boolean };

/** SFTP as a subsystem is the same protocol as its server started by a command. */
const sftp: TransferCommand = {
  protocol: 'sftp',
  direction: 'both',
  paths: [],
  expands: false,
  names: 'anything',
};

export function transferOfSubsystem(name: string): TransferCommand | undefined {
  return name === 'sftp' ? sftp : undefined;
}

/** What must be allowed before a command may run: `exec`, `command`, and a transfer's direction where it plainly is one. */
export function actionsOfCommand(command: string, access: FileAccess): readonly PolicyAction[] {
  return [
    commandAction('exec', command),
    commandAction('command', command),
    ...actionsOfTransfer(transferCommandOf(command), access),
  ];
}

export function actionsOfSubsystem(name: string, access: FileAccess): readonly PolicyAction[] {
  return [{ kind: 'subsystem', subsystem: name }, ...actionsOfTransfer(transferOfSubsystem(name), access)];
}

/**
 * SFTP goes both ways, so both must be allowed. Where policy speaks of files it is asked for each of them later instead, and beforehand
 * for the paths of the command.
 */
function actionsOfTransfer(
  transfer: TransferCommand | undefined,
  access: FileAccess,
): readonly PolicyAction[] {
  if (transfer === undefined) return [];
  const { protocol: program, direction, paths } = transfer;
  const directions: readonly Direction[] = direction === 'both' ? ['upload', 'download'] : [direction];
  return directions.flatMap((kind): readonly PolicyAction[] => {
    if (!access.readsFiles(kind)) return [{ kind, program }];
    return program === 'sftp' ? [] : paths.map((path) => ({ kind, path, program }));
  });
}
