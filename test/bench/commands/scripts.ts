import { pause, password, run, type Script, settle, type Step } from './script.ts';

const paste = (text: string): Step => ({ chunk: `\x1b[200~${text}\x1b[201~` });
const up = '\x1b[A';
const left = '\x1b[D';
const home = '\x01';
const end = '\x05';

const common: readonly Step[] = [
  ...run('uptime > /dev/null'),
  ...run('cat notes.txt'),
  ...run('printf "%s\\n" one two three | wc -l'),
];

export const scripts: Readonly<Record<string, Script>> = {
  'bash-plain': { shell: 'bash', steps: [settle, ...common, ...run('cd logs'), ...run('ls -la')] },
  'bash-fast': {
    shell: 'bash',
    steps: [settle, 'echo one\recho two; echo three\rpwd\r', pause(700), ...run('echo four')],
  },
  'bash-edit': {
    shell: 'bash',
    steps: [
      settle,
      `ecko${'\x7f'.repeat(2)}ho mistyped\r`,
      settle,
      `tail -5 app.log${home}sudo -n ${end} | cat`,
      '\x15',
      ...run('true'),
      `echo alpha beta gamma\x17\x17delta${left}${left}XX${end}!\r`,
      settle,
      `echo cut me\x15echo pasted \x19\r`,
      settle,
    ],
  },
  'bash-history': {
    shell: 'bash',
    steps: [settle, ...run('grep -n error app.log'), ...run('true'), up, up, settle, ' | head -2\r', settle, up, settle, '\r', settle],
  },
  'bash-search': {
    shell: 'bash',
    steps: [settle, ...run('echo needle in haystack'), ...run('pwd'), '\x12', 'needl', settle, '\r', settle, '\x12', 'zzz', settle, '\x07', settle, ...run('echo after search')],
  },
  'bash-complete': {
    shell: 'bash',
    steps: [settle, 'cat no', '\t', settle, '\r', settle, 'ls lo', '\t\t', settle, '\r', settle, 'ls app', '\t\t', settle, 'log\r', settle],
  },
  'bash-blocks': {
    shell: 'bash',
    steps: [
      settle,
      ...run('for f in *.txt; do'), ...run('wc -c "$f"'), ...run('done'),
      ...run('if true; then echo yes'), ...run('fi'),
      ...run("cat <<'END' > conf.yaml"), ...run('key: value'), ...run('list: [1, 2]'), ...run('END'),
      ...run('echo "first'), ...run('second"'),
      ...run('echo joined \\'), ...run('line'),
      ...run('ls |'), ...run('wc -l'),
      ...run('deploy() {'), ...run('echo deploying'), ...run('}'), ...run('deploy'),
    ],
  },
  'bash-abort': {
    shell: 'bash',
    steps: [settle, 'rm -rf precious', settle, '\x03', settle, ...run('echo kept'), ...run('while true; do'), '\x03', settle, 'sleep 9\r', settle, '\x03', settle, ...run('echo end')],
  },
  'bash-paste': {
    shell: 'bash',
    steps: [settle, paste('echo pasted one\necho pasted two'), settle, '\r', settle, { chunk: 'echo raw a\recho raw b\r' }, pause(600), paste('echo inner'), ' and typed\r', settle],
  },
  'bash-long': {
    shell: 'bash',
    steps: [
      settle,
      ...run(`curl -s -o /dev/null -w ok --max-time 1 http://127.0.0.1:9/${'segment/'.repeat(14)}end || true`),
      ...run(`echo ${Array.from({ length: 40 }, (_, n) => `w${n}`).join(' ')}`),
      `echo ${'x'.repeat(90)} tail`, `${home}${'\x1b[C'.repeat(8)}MIDDLE${end} more\r`, settle,
    ],
  },
  'bash-secrets': {
    shell: 'bash',
    steps: [
      settle,
      ...run(password), pause(400), 'Tr0ub4dor&3\r', settle,
      ...run('read -rs PIN'), '90210\r', settle,
      ...run('read -rsp "New secret: " NEW'), 'correct horse\x7fe\r', settle,
      ...run('echo stored'),
    ],
    secrets: ['Tr0ub4dor&3', '90210', 'correct hors', 'correct'],
  },
  'bash-answers': {
    shell: 'bash',
    steps: [settle, ...run('read -p "Proceed (yes/no)? " REPLY'), ...run('yes'), ...run('cat > new.txt'), ...run('some free text'), '\x04', settle, ...run('echo done')],
    truth: [null, { optional: 'yes' }, null, { optional: 'some free text' }, null],
  },
  'bash-nested': {
    shell: 'bash',
    steps: [settle, ...run('dash'), ...run('echo in dash'), ...run('exit'), ...run('python3 -q'), pause(300), ...run('print(6*7)'), ...run('exit()'), ...run('echo out again')],
    truth: [null, 'echo in dash', 'exit', null, 'print(6*7)', 'exit()', null],
  },
  'bash-vim': {
    shell: 'bash',
    steps: [settle, 'vim -u NONE -N draft.md\r', pause(700), 'ihost$ rm -rf /\rroot@db# reboot\r', '\x1b', pause(300), ':wq\r', pause(500), ...run('wc -l draft.md')],
    truth: [null, { optional: ':wq' }, null],
  },
  'bash-less': {
    shell: 'bash',
    steps: [settle, 'less app.log\r', pause(500), ' ', pause(200), 'q', pause(400), ...run('echo done'), 'less -X app.log\r', pause(500), 'q', pause(300), ...run('echo fin')],
  },
  'bash-noise': {
    shell: 'bash',
    steps: [settle, ...run('(sleep 0.9; echo job says hi) &'), 'echo typed slowly', pause(900), ' on\r', settle, ...run('echo quiet')],
  },
  'bash-ahead': {
    shell: 'bash',
    steps: [settle, ...run('sleep 1.2'), 'echo typed ahead\r', 'ls logs\r', pause(1700), ...run('echo last')],
  },
  'bash-clear': {
    shell: 'bash',
    steps: [settle, ...run('ls'), 'echo half', '\x0c', settle, ' whole\r', settle, ...run('clear'), ...run('echo clean')],
  },
  'bash-wide': {
    shell: 'bash',
    steps: [settle, ...run('echo "grüße aus köln"'), ...run('echo 日本語 한국어 中文'), ...run('echo 🚀 launch 🛰️'), ...run(`echo ${'漢字'.repeat(20)}z`)],
  },
  'bash-resize': {
    shell: 'bash',
    steps: [settle, ...run('echo before'), 'echo typed while the window', pause(200), { columns: 100, rows: 30 }, pause(400), ' changes size\r', settle, ...run('echo after')],
  },
  'bash-empty': {
    shell: 'bash',
    steps: [settle, '\r', settle, '\r\r', settle, '   \r', settle, ...run('id -un'), '\r', settle, ...run(' echo with a space')],
  },
  'bash-bang': { shell: 'bash', steps: [settle, ...run('echo once'), ...run('!!'), ...run('echo !$')], truth: [null, { typed: '!!' }, { typed: 'echo !$' }] },
  'bash-tmux': {
    shell: 'bash',
    steps: [settle, 'tmux -f /dev/null -L sshtrail-bench new-session "bash --norc --noprofile"\r', pause(1200), ...run('echo inside'), ...run('ls logs'), ...run('exit'), pause(500), ...run('echo outside')],
    truth: [null, 'echo inside', 'ls logs', 'exit', null],
  },
  'bash-bulk': {
    shell: 'bash',
    steps: [settle, 'seq 1 60000\r', pause(1200), ...run('echo after'), ...run('ls')],
  },
  'bash-ctrl-d': {
    shell: 'bash',
    steps: [settle, ...run('bash --norc --noprofile'), ...run('echo deeper'), '\x04', settle, ...run('echo back')],
    truth: [null, 'echo deeper', null],
  },
  'zsh-plain': { shell: 'zsh', steps: [settle, ...common, ...run('cd logs'), ...run('ls')] },
  'zsh-edit': {
    shell: 'zsh',
    steps: [settle, `echo wrnog${'\x7f'.repeat(4)}rong\r`, settle, `echo one two three\x17four${home}${'\x1b[C'.repeat(5)}zero ${end}\r`, settle, up, settle, ' again\r', settle, 'rm -rf precious', '\x03', settle, ...run('true')],
  },
  'zsh-blocks': {
    shell: 'zsh',
    steps: [settle, ...run('for f in a b; do'), ...run('print $f'), ...run('done'), ...run('cat <<END'), ...run('text'), ...run('END'), ...run("echo 'open"), ...run("close'"), ...run('ls |'), ...run('wc -l')],
  },
  'zsh-complete': {
    shell: 'zsh',
    steps: [settle, 'cat no', '\t', settle, '\r', settle, 'ls app', '\t\t', settle, '\t', settle, '\r', settle, ...run('echo end')],
  },
  'zsh-search': { shell: 'zsh', steps: [settle, ...run('echo needle here'), ...run('pwd'), '\x12', 'needl', settle, '\r', settle, ...run('echo end')] },
  'zsh-paste': { shell: 'zsh', steps: [settle, paste('echo p1\necho p2'), settle, '\r', settle, ...run('echo after')] },
  'zsh-long': { shell: 'zsh', steps: [settle, ...run(`echo ${Array.from({ length: 45 }, (_, n) => `v${n}`).join(' ')}`), ...run('echo 日本語 テスト'), ...run(`echo ${'字'.repeat(50)}`)] },
  'zsh-fast': { shell: 'zsh', steps: [settle, 'echo z1\recho z2\rpwd\r', pause(800), ...run('echo z3')] },
  'zsh-secrets': { shell: 'zsh', steps: [settle, ...run(password), pause(400), 'Tr0ub4dor&3\r', settle, ...run('read -rs PIN'), '90210\r', settle, ...run('echo done')], secrets: ['Tr0ub4dor&3', '90210'] },
  'fish-plain': { shell: 'fish', steps: [pause(900), ...common, ...run('cd logs'), ...run('ls')] },
  'fish-edit': { shell: 'fish', steps: [pause(900), `echo wrnog${'\x7f'.repeat(4)}rong\r`, settle, up, settle, ' again\r', settle, 'rm -rf precious', settle, '\x03', settle, ...run('echo end')] },
  'fish-blocks': { shell: 'fish', steps: [pause(900), 'for f in a b\r', settle, 'echo $f\r', settle, 'end\r', settle, ...run('if true; echo yes; end'), ...run('echo end')] },
  'fish-complete': { shell: 'fish', steps: [pause(900), 'cat notes', '\t', settle, '\r', settle, 'ls app', '\t', settle, '\t', settle, '\r', settle, ...run('echo end')] },
  'fish-suggest': { shell: 'fish', steps: [pause(900), ...run('echo suggest this whole line'), 'echo su', settle, '\x1b[C', settle, '\r', settle, 'echo sug', settle, '\r', settle, ...run('true')] },
  'fish-paste': { shell: 'fish', steps: [pause(900), paste('echo p1\necho p2'), settle, '\r', settle, ...run('echo after')] },
  'dash-plain': { shell: 'dash', steps: [settle, ...run('echo dash here'), `ecko${'\x7f'.repeat(2)}ho fixed\r`, settle, 'drop this\x15true\r', settle, ...run('pwd')], truth: ['echo dash here', 'echo fixed', 'true', 'pwd'] },
  'dash-blocks': { shell: 'dash', steps: [settle, ...run('for i in 1 2; do'), ...run('echo n$i; done'), ...run('cat <<X'), ...run('body'), ...run('X'), ...run('echo end')], truth: ['for i in 1 2; do\necho n$i; done', 'cat <<X\nbody\nX', 'echo end'] },
  'dash-fast': { shell: 'dash', steps: [settle, 'echo d1\recho d2\r', pause(500), ...run(password), pause(400), 'Tr0ub4dor&3\r', settle, ...run('echo end')], truth: ['echo d1', 'echo d2', password, 'echo end'], secrets: ['Tr0ub4dor&3'] },
  'ash-plain': { shell: 'ash', steps: [settle, ...run('echo ash here'), ...run('ls'), up, up, settle, ' twice\r', settle, 'cat no', '\t', settle, '\r', settle, ...run('echo end')], truth: ['echo ash here', 'ls', 'echo ash here twice', 'cat notes.txt', 'echo end'] },
};
