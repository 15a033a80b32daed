import type { PolicyAction } from '#core/policy';

/** Which way files go. */
export type TransferDirection = 'upload' | 'download' | 'both';

/**
 * The direction of a command that is a file transfer and nothing else, as scp, rsync, git and sftp start it; undefined for any other. Only
 * where the whole command is plain words: `scp -t x; sh` is a shell by another name.
 */
export function transferOf(command: string): TransferDirection | undefined {
  if (!/^[\w./=,:@%+~'" -]*$/.test(command)) return undefined;
  const plain = command.replace(/^\/usr\/(?:bin|lib\/openssh|libexec|libexec\/openssh|lib\/ssh)\//, '');
  const scp = /^scp (?:-[a-zA-Z]+ )*?-[a-zA-Z]*([tf]) /.exec(plain)?.[1];
  if (scp !== undefined) return scp === 't' ? 'upload' : 'download';
  if (plain.startsWith('rsync --server --sender ')) return 'download';
  if (plain.startsWith('rsync --server ')) return 'upload';
  const git = /^git[ -](upload-pack|receive-pack|upload-archive) /.exec(plain)?.[1];
  if (git !== undefined) return git === 'receive-pack' ? 'upload' : 'download';
  return /^(?:sftp-server|internal-sftp)(?: |$)/.test(plain) ? 'both' : undefined;
}

/** What must be allowed before a command may run: `exec`, `command`, and a transfer's direction where it plainly is one. */
export function actionsOfCommand(command: string): readonly PolicyAction[] {
  const program = programOf(command);
  const detail = { command, ...(program === undefined ? {} : { program }) };
  return [
    { kind: 'exec', ...detail },
    { kind: 'command', ...detail },
    ...actionsOfTransfer(transferOf(command)),
  ];
}

/** SFTP goes both ways, so both must be allowed. */
export function actionsOfSubsystem(name: string): readonly PolicyAction[] {
  return [{ kind: 'subsystem', subsystem: name }, ...actionsOfTransfer(name === 'sftp' ? 'both' : undefined)];
}

function actionsOfTransfer(direction: TransferDirection | undefined): readonly PolicyAction[] {
  switch (direction) {
    case undefined:
      return [];
    case 'both':
      return [{ kind: 'upload' }, { kind: 'download' }];
    case 'upload':
    case 'download':
      return [{ kind: direction }];
  }
}

/** The first word of a command, where there plainly is one. */
function programOf(command: string): string | undefined {
  return /^\s*([A-Za-z0-9_./+-]+)(?=\s|$)/.exec(command)?.[1];
}
