import { pause, password, run, type Script, settle } from './script.ts';

/** Scripts written after the reader was, and measured before it was changed for any of them. */
const meta = (key: string): string => `\x1b${key}`;
const up = '\x1b[A';
const paste = (text: string) => ({ chunk: `\x1b[200~${text}\x1b[201~` });

export const heldOutScripts: Readonly<Record<string, Script>> = {
  'bash-vi': {
    shell: 'bash',
    steps: [settle, ...run('set -o vi'), 'echo one twwo three', '\x1b', pause(100), 'bbxcwTWO', '\x1b', pause(100), 'A four\r', settle, '\x1b', pause(100), 'k', pause(150), 'k', pause(150), '\r', settle, ...run('echo vi end')],
  },
  'bash-words': {
    shell: 'bash',
    steps: [settle, `echo alpha beta gamma${meta('b')}${meta('b')}${meta('d')}BETA${'\x05'} end\r`, settle, `echo again ${meta('.')}\r`, settle, `echo abcd\x14\x02\x02\x06x\x1f\x1f?\r`, settle, ...run('echo words end')],
  },
  'bash-recall-block': {
    shell: 'bash',
    steps: [settle, ...run('for n in 1 2; do'), ...run('  echo "n=$n"'), ...run('done'), ...run('true'), up, up, settle, '\r', settle, up, settle, ' | sort\r', settle, ...run('echo end')],
  },
  'bash-editor': {
    shell: 'bash',
    steps: [settle, ...run("export EDITOR='vim -u NONE -N'"), 'echo from', '\x18\x05', pause(900), 'A editor', '\x1b', pause(200), ':wq\r', pause(700), ...run('echo end')],
    truth: [null, { optional: ':wq' }, 'echo from editor', null],
  },
  'bash-operate': {
    shell: 'bash',
    steps: [settle, ...run('echo h1'), ...run('echo h2'), ...run('echo h3'), up, up, up, settle, '\x0f', settle, '\x0f', settle, '\r', settle, ...run('echo end')],
  },
  'bash-no-newline': {
    shell: 'bash',
    steps: [settle, ...run('printf "no newline"'), ...run('echo next'), ...run('printf "$ "'), ...run('printf "root@prod:~# "'), ...run('ls'), ...run('echo -n abc; echo -n def'), ...run('pwd')],
  },
  'bash-fg': {
    shell: 'bash',
    steps: [settle, 'sleep 30\r', settle, '\x1a', settle, ...run('jobs'), 'fg\r', settle, '\x03', settle, ...run('set -b; (sleep 0.3; true) &'), pause(500), ...run('echo end')],
  },
  'bash-ahead-edited': {
    shell: 'bash',
    steps: [settle, ...run('sleep 1.3'), `ecko${'\x7f'.repeat(2)}ho ahead\r`, 'ls lo', pause(1500), 'gs\r', settle, ...run('echo end')],
  },
  'bash-answers-more': {
    shell: 'bash',
    steps: [settle, ...run('select x in red green; do break; done'), '2\r', settle, ...run('read -r -p "Name: " a; read -r -p "Age: " b'), 'Ada\r', settle, '36\r', settle, ...run('echo end')],
    truth: [null, { optional: '2' }, null, { optional: 'Ada' }, { optional: '36' }, null],
  },
  'bash-silent': {
    shell: 'bash',
    steps: [settle, ...run('stty -echo; sleep 0.5; stty echo'), ...run('echo shown'), ...run(password), pause(400), 'pA55 wörd\x7f\x15Xyzzy-Plugh7\r', settle, ...run(`${password} && echo ok`), pause(400), '\x03', settle, ...run(`${password} && echo ok`), pause(400), 'Second-Secret9\r', settle, ...run('echo end')],
    secrets: ['pA55', 'Xyzzy-Plugh7', 'Second-Secret9'],
  },
  'bash-sqlite': {
    shell: 'bash',
    steps: [settle, ...run('sqlite3 x.db'), pause(200), ...run('create table t (a int);'), ...run('insert into t'), ...run('values (7);'), ...run('select a from t;'), ...run('.quit'), ...run('echo end')],
    truth: [null, 'create table t (a int);', 'insert into t\nvalues (7);', 'select a from t;', '.quit', null],
  },
  'bash-python': {
    shell: 'bash',
    steps: [settle, ...run('python3 -q'), pause(400), ...run('def f(x):'), ...run('    return x + 1'), '\r', settle, ...run('f(41)'), up, settle, ' + 1\r', settle, ...run('import getpass; p = getpass.getpass("DB: ")'), 'Repl-Secret5\r', settle, '\x04', settle, ...run('echo end')],
    truth: [null, 'def f(x):\n    return x + 1', 'f(41)', 'f(41) + 1', 'import getpass; p = getpass.getpass("DB: ")', null],
    secrets: ['Repl-Secret5'],
  },
  'bash-top': {
    shell: 'bash',
    steps: [settle, 'top -d 1\r', pause(900), 'q', pause(400), ...run('echo a'), 'cat\r', settle, 'typed to cat\r', settle, '\x03', settle, ...run('echo b'), 'watch -n 1 true\r', pause(700), '\x03', settle, ...run('echo c')],
    truth: [null, null, null, { optional: 'typed to cat' }, null, null, null],
  },
  'bash-raw-paste': {
    shell: 'bash',
    steps: [settle, ...run("bind 'set enable-bracketed-paste off'"), { chunk: 'echo r1\necho r2\nfor i in 1 2; do\necho "i $i"\ndone\n' }, pause(700), ...run('echo r3'), up, settle, 'x\r', settle],
  },
  'bash-paste-block': {
    shell: 'bash',
    steps: [settle, paste('if [ -d logs ]; then\n  # a comment\n  echo "has logs"\nfi'), settle, '\r', settle, paste('echo "> not a prompt"\n: # comment only\necho two'), settle, '\r', settle, ...run('echo end')],
  },
  'bash-prompt-like': {
    shell: 'bash',
    steps: [settle, ...run('echo "$ rm -rf /"'), ...run('echo user@host:~$ ls'), ...run('cat <<< "# reboot"'), ...run('> empty.txt'), ...run(': # only a comment'), ...run("printf '\\033[?2004h'; sleep 0.2"), ...run('echo end')],
  },
  'bash-split': {
    shell: 'bash',
    steps: [settle, 'tmux -f /dev/null -L sshtrail-bench2 new-session "bash --norc --noprofile"\r', pause(1300), ...run('echo left'), '\x02', '"', pause(900), ...run('echo lower'), ...run('exit'), pause(600), ...run('echo upper again'), ...run('exit'), pause(600), ...run('echo outside')],
    truth: [null, 'echo left', { optional: 'echo lower' }, { optional: 'exit' }, 'echo upper again', 'exit', null],
  },
  'bash-search-long': {
    shell: 'bash',
    steps: [settle, ...run(`echo ${'long argument '.repeat(8)}needle`), ...run('echo needle short'), ...run('true'), '\x12', 'needle', settle, '\x12', settle, '\r', settle, '\x12', 'short', settle, '\x1b[C', settle, ' edited\r', settle, ...run('echo end')],
  },
  'bash-subshell-prompt': {
    shell: 'bash',
    steps: [settle, ...run("PS1='\\W (\\j) \\$ '"), ...run('cd logs'), ...run('ls'), ...run("PS1=''"), ...run('echo bare'), ...run("PS1='new> '"), ...run('echo end')],
  },
  'bash-complete-middle': {
    shell: 'bash',
    steps: [settle, `cat notes.txt app.l${'\x1b[D'.repeat(6)}`, '\x05', '\t', settle, ' | wc -l\r', settle, 'cat app.', '\t\t', settle, 'c', '\t', settle, '\r', settle, 'echo $HOS', '\t\t', settle, '\x15', ...run('echo end')],
  },
  'zsh-recall-block': {
    shell: 'zsh',
    steps: [settle, ...run('for n in 1 2; do'), ...run('  echo "n=$n"'), ...run('done'), ...run('true'), up, up, settle, '\r', settle, ...run('echo end')],
  },
  'zsh-newline': {
    shell: 'zsh',
    steps: [settle, 'echo first\x1b\rrm -f nothing', settle, '\r', settle, ...run('echo end')],
  },
  'zsh-ahead': {
    shell: 'zsh',
    steps: [settle, ...run('sleep 1.2'), 'echo typed ahead\r', 'ls logs\r', pause(1700), ...run('echo end')],
  },
  'zsh-background': {
    shell: 'zsh',
    steps: [settle, ...run('(sleep 0.7; echo noise) &'), 'echo slowly', pause(900), ' typed\r', settle, ...run('sleep 0.1 &'), pause(400), ...run('echo end')],
  },
  'zsh-no-newline': {
    shell: 'zsh',
    steps: [settle, ...run('printf "no newline"'), ...run('echo next'), ...run('printf "%% "'), ...run('ls'), '\r', settle, '  \r', settle, ...run('echo end')],
  },
  'zsh-answers': {
    shell: 'zsh',
    steps: [settle, ...run('read "a?Name: "'), 'Ada\r', settle, ...run('cat > x.txt'), 'free text\r', '\x04', settle, ...run('echo !!'), ...run('echo end')],
    truth: [null, { optional: 'Ada' }, null, { optional: 'free text' }, { typed: 'echo !!' }, null],
  },
  'zsh-menu-long': {
    shell: 'zsh',
    steps: [settle, 'cat app.', '\t', settle, '\t', settle, '\x1b[C', settle, '\r', settle, ' | tail -1\r', settle, 'ls l', '\t', settle, '\r', settle, ...run('echo end')],
  },
  'fish-recall-block': {
    shell: 'fish',
    steps: [pause(900), 'for n in 1 2\r', settle, 'echo n$n\r', settle, 'end\r', settle, ...run('true'), up, settle, up, settle, '\r', settle, ...run('echo end')],
  },
  'fish-search': {
    shell: 'fish',
    steps: [pause(900), ...run('echo needle in haystack'), ...run('true'), 'needle', up, settle, '\r', settle, 'echo x', '\x1b[A', settle, '\x1b[B', settle, '\r', settle, ...run('echo end')],
  },
  'fish-answers': {
    shell: 'fish',
    steps: [pause(900), ...run('read -P "Name: " a'), 'Ada\r', settle, ...run(password), pause(400), 'Fishy-Secret3\r', settle, ...run('echo end')],
    truth: [null, { optional: 'Ada' }, null, null],
    secrets: ['Fishy-Secret3'],
  },
  'fish-long': {
    shell: 'fish',
    steps: [pause(900), ...run(`echo ${Array.from({ length: 45 }, (_, n) => `v${n}`).join(' ')}`), ...run('echo 日本語 テスト'), ...run(`echo ${'字'.repeat(50)}`), ...run('echo end')],
  },
  'fish-fast': { shell: 'fish', steps: [pause(900), 'echo z1\recho z2\rpwd\r', pause(900), ...run('echo z3')] },
  'dash-more': {
    shell: 'dash',
    steps: [settle, ...run('sleep 0.6'), 'echo ahead\r', pause(800), ...run(`echo ${'long words '.repeat(12)}end`), 'echo drop\x03', settle, ...run('read a'), 'answer\r', settle, ...run('echo end')],
    truth: ['sleep 0.6', 'echo ahead', `echo ${'long words '.repeat(12)}end`, 'read a', { optional: 'answer' }, 'echo end'],
  },
  'ash-more': {
    shell: 'ash',
    steps: [settle, ...run('for i in 1 2; do'), ...run('echo n$i; done'), ...run(`echo ${'long words '.repeat(12)}end`), `echo abc${'\x1b[D'.repeat(2)}X\r`, settle, ...run('echo end')],
    truth: ['for i in 1 2; do\necho n$i; done', `echo ${'long words '.repeat(12)}end`, 'echo aXbc', 'echo end'],
  },
};
