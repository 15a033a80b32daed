/** What a command line runs, as far as its words tell: no aliases, no scripts. */
function programOf(commandLine: string): string {
  const words = commandLine.slice(0, 4096).trim().split(/\s+/);
  const wrapped = new Set(['sudo', 'doas', 'time', 'exec', 'nohup', 'command', 'env', 'nice', 'builtin']);
  let behindWrapper = false;
  for (const word of words) {
    if (/^\w+=/.test(word) || (behindWrapper && word.startsWith('-'))) continue;
    const name = word.slice(word.lastIndexOf('/') + 1);
    if (!wrapped.has(name)) return name;
    behindWrapper = true;
  }
  return '';
}

const shells = new Set([
  'sh',
  'bash',
  'dash',
  'ash',
  'busybox',
  'zsh',
  'fish',
  'ksh',
  'mksh',
  'tcsh',
  'csh',
  'su',
  'sudo',
  'ssh',
  'docker',
  'kubectl',
  'podman',
  'chroot',
  'nsenter',
  'unshare',
  'screen',
  'tmux',
]);

/** Programs whose lines are a shell's. */
export function isShell(commandLine: string): boolean {
  return shells.has(programOf(commandLine));
}

const screenPrograms = new Set([
  'vim',
  'vi',
  'nvim',
  'view',
  'vimdiff',
  'nano',
  'pico',
  'emacs',
  'joe',
  'micro',
  'hx',
  'ed',
  'less',
  'more',
  'most',
  'man',
  'info',
  'htop',
  'top',
  'btop',
  'atop',
  'iotop',
  'nethogs',
  'iftop',
  'watch',
  'mc',
  'ranger',
  'nnn',
  'tig',
  'lazygit',
  'ncdu',
  'nmtui',
  'dialog',
  'whiptail',
  'fzf',
  'mutt',
  'links',
  'lynx',
  'w3m',
  'visudo',
  'vipw',
  'crontab',
  'journalctl',
  'systemctl',
  'git',
  'k9s',
  'cfdisk',
  'alsamixer',
]);

/** Editors, pagers and monitors: what looks like a shell on their screens is text. */
export function ownsScreen(commandLine: string): boolean {
  return screenPrograms.has(programOf(commandLine));
}

const interpreters = new Set([
  'python',
  'python2',
  'python3',
  'ipython',
  'ipython3',
  'bpython',
  'node',
  'deno',
  'bun',
  'irb',
  'pry',
  'sqlite3',
  'mysql',
  'mariadb',
  'psql',
  'redis-cli',
  'mongosh',
  'mongo',
  'ftp',
  'sftp',
  'lftp',
  'gdb',
  'lldb',
  'bc',
  'dc',
  'php',
  'ghci',
  'iex',
  'scala',
  'julia',
  'R',
  'lua',
  'perl',
  'openssl',
  'nslookup',
  'bluetoothctl',
]);

/** Whether a prompt is that of an interpreter which is no shell. */
export function interpreterOf(commandLine: string, prompt: string): boolean {
  if (interpreters.has(programOf(commandLine)) && !/^\S+@\S+|[$%❯➜λ] $/.test(prompt)) return true;
  return /^(?:>>>|\.\.\.|In \[\d+\]:|sqlite>|\s+\.{3}>|mysql>|\s+->|MariaDB \[[^\]]*\]>|\w+[=\-'"(][#>]|irb\([^)]*\)|redis[^>]*>|[\d.]+:\d+>|s?ftp>|lftp [^>]*>|\((?:gdb|lldb|Pdb)\)|scala>|julia>|iex\(\d+\)>|ghci>|Prelude>|php >) ?/.test(
    prompt,
  );
}
