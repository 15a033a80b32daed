import { describe, expect, test } from 'vitest';
import { actionsOfCommand, actionsOfSubsystem, transferOf } from '../../proxy-task/transfer-command.ts';

describe('what a command transfers', () => {
  test.each([
    ['scp -t /tmp/x', 'upload'],
    ['scp -r -p -t /tmp/x', 'upload'],
    ['scp -rt /tmp/x', 'upload'],
    ['scp -f /etc/motd', 'download'],
    ['rsync --server -vlogDtpre.iLsfxCIvu . /tmp/x', 'upload'],
    ['rsync --server --sender -vlogDtpre.iLsfxCIvu . /tmp/x', 'download'],
    ["git-upload-pack '/srv/a.git'", 'download'],
    ["git-receive-pack '/srv/a.git'", 'upload'],
    ['/usr/lib/openssh/sftp-server', 'both'],
    ['internal-sftp', 'both'],
  ])('%s', (command, direction) => {
    expect(transferOf(command)).toBe(direction);
  });

  test.each([
    'scp -t x; sh',
    'scp -t $(sh)',
    'scp -t x && sh',
    'scp -t x\nsh',
    'scp -t `sh`',
    'scp a b',
    'rsync -a a b',
    'git status',
    'sh -c scp -t x',
    'ls',
  ])('nothing that could be a shell by another name: %s', (command) => {
    expect(transferOf(command)).toBeUndefined();
  });
});

describe('what must be allowed', () => {
  test('a command asks for exec and command, with its first word where it plainly has one', () => {
    expect(actionsOfCommand('uptime -p')).toEqual([
      { kind: 'exec', command: 'uptime -p', program: 'uptime' },
      { kind: 'command', command: 'uptime -p', program: 'uptime' },
    ]);
    expect(actionsOfCommand('$(x)').every((action) => !('program' in action))).toBe(true);
  });

  test('a transfer asks for its direction, too, and sftp for both', () => {
    expect(actionsOfCommand('scp -f /etc/motd').at(-1)).toEqual({ kind: 'download' });
    expect(actionsOfSubsystem('sftp').map(({ kind }) => kind)).toEqual(['subsystem', 'upload', 'download']);
    expect(actionsOfSubsystem('netconf')).toEqual([{ kind: 'subsystem', subsystem: 'netconf' }]);
  });
});
