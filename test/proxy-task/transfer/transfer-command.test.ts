import { describe, expect, test } from 'vitest';
import { actionsOfCommand, actionsOfSubsystem } from '../../../proxy-task/transfer/index.ts';

const never = { readsFiles: () => false };
const always = { readsFiles: () => true };

describe('what must be allowed', () => {
  test('a command asks for exec and command, with its first word where it plainly has one', () => {
    expect(actionsOfCommand('uptime -p', never)).toEqual([
      { kind: 'exec', command: 'uptime -p', program: 'uptime', privileged: false },
      { kind: 'command', command: 'uptime -p', program: 'uptime', privileged: false },
    ]);
    expect(actionsOfCommand('$(x)', never).every((action) => !('program' in action))).toBe(true);
  });

  test('a transfer asks for its direction, too, and sftp for both', () => {
    expect(actionsOfCommand('scp -f /etc/motd', never).at(-1)).toEqual({ kind: 'download', program: 'scp' });
    expect(actionsOfSubsystem('sftp', never)).toEqual([
      { kind: 'subsystem', subsystem: 'sftp' },
      { kind: 'upload', program: 'sftp' },
      { kind: 'download', program: 'sftp' },
    ]);
    expect(actionsOfSubsystem('netconf', never)).toEqual([{ kind: 'subsystem', subsystem: 'netconf' }]);
  });

  test('where policy speaks of files a command asks for its paths, and sftp for none yet', () => {
    expect(
      actionsOfCommand('rsync --server --sender -logDtpre.iLsfx . /srv/a /srv/b', always).slice(2),
    ).toEqual([
      { kind: 'download', path: '/srv/a', program: 'rsync' },
      { kind: 'download', path: '/srv/b', program: 'rsync' },
    ]);
    expect(actionsOfSubsystem('sftp', always)).toEqual([{ kind: 'subsystem', subsystem: 'sftp' }]);
    expect(actionsOfSubsystem('sftp', { readsFiles: (direction) => direction === 'download' })).toEqual([
      { kind: 'subsystem', subsystem: 'sftp' },
      { kind: 'upload', program: 'sftp' },
    ]);
  });
});
