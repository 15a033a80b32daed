import { describe, expect, test } from 'vitest';
import { transferCommandOf } from '#core/transfer';

describe('a command that is a transfer', () => {
  test.each([
    ['scp -t /tmp/x', 'scp', 'upload', ['/tmp/x']],
    ['scp -r -p -t /tmp/x', 'scp', 'upload', ['/tmp/x']],
    ['scp -rt -- /tmp/x', 'scp', 'upload', ['/tmp/x']],
    ['scp -f /etc/motd', 'scp', 'download', ['/etc/motd']],
    ["scp -f '/srv/a b' /srv/c\\ d", 'scp', 'download', ['/srv/a b', '/srv/c d']],
    ['rsync --server -vlogDtpre.iLsfxCIvu . /tmp/x', 'rsync', 'upload', ['/tmp/x']],
    ['rsync --server --sender -vlogDtpre.iLsfxCIvu . /tmp/x y', 'rsync', 'download', ['/tmp/x', 'y']],
    ["git-upload-pack '/srv/a.git'", 'git', 'download', ['/srv/a.git']],
    ["git receive-pack '/srv/a.git'", 'git', 'upload', ['/srv/a.git']],
    ['/usr/lib/openssh/sftp-server', 'sftp', 'both', []],
    ['internal-sftp', 'sftp', 'both', []],
  ])('%s', (command, protocol, direction, paths) => {
    expect(transferCommandOf(command)).toMatchObject({ protocol, direction, paths });
  });

  test('says where the target expands its words', () => {
    expect(transferCommandOf('scp -f /tmp/*.pem')?.expands).toBe(true);
    expect(transferCommandOf("scp -f '/tmp/*.pem'")?.expands).toBe(false);
  });

  test.each([
    'scp -t x; sh',
    'scp -t $(sh)',
    'scp -t x && sh',
    'scp -t x\nsh',
    'scp -t `sh`',
    'scp -t "$(sh)"',
    'scp -t "`sh`"',
    "scp -t 'x",
    "scp -t '\\'; sh",
    'scp -t x\\\\; sh',
    'scp -t x \\',
    'scp -t x > y',
    'scp -t x <(sh)',
    'scp -t',
    'scp -t -f x',
    'scp -S sh -t x',
    'scp a b',
    'rsync -a a b',
    'git status',
    'sh -c scp -t x',
    'ls',
    '',
  ])('nothing that could be a shell by another name: %s', (command) => {
    expect(transferCommandOf(command)).toBeUndefined();
  });
});
