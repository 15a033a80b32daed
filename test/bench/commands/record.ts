import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { heldOutScripts } from './held-out-scripts.ts';
import type { Script, Step } from './script.ts';
import { scripts } from './scripts.ts';
import { prompts, rightPrompts } from './shell-prompts.ts';

/**
 * `record.ts FOLDER [id pattern] [turn]`: records the scripts with the shells of this machine at several widths, round-trip times and
 * prompts, as `recordings/<id>.jsonl` and `truth/<id>.json`. What ran is taken from the shells' own hooks: history at PS0,
 * preexec, fish_preexec. Another turn gives other prompts to the scripts, and other gaps between the keys.
 */
const conditions = [
  { name: 'w200', columns: 200, rows: 50, rttMs: 0 },
  { name: 'w63', columns: 63, rows: 24, rttMs: 40 },
  { name: 'w47', columns: 47, rows: 20, rttMs: 90 },
] as const;

type Condition = (typeof conditions)[number];

const [folder, pattern = '.', turn = '0'] = process.argv.slice(2);
if (folder === undefined) throw new Error('give the folder to record into: record.ts FOLDER [id pattern]');
for (const name of ['recordings', 'truth']) mkdirSync(join(folder, name), { recursive: true });
const only = new RegExp(pattern);
const jobs = Object.entries({ ...scripts, ...heldOutScripts })
  .flatMap(([name, script], number) =>
    conditions.map((condition, at) => ({
      id: `${name}-${condition.name}`,
      script,
      condition,
      variant: number + at + Number(turn),
    })),
  )
  .filter(({ id }) => only.test(id));
await Promise.all(
  [0, 1, 2].map(async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift())
      await record(folder, job.id, job.script, job.condition, job.variant);
  }),
);

async function record(
  into: string,
  id: string,
  script: Script,
  condition: Condition,
  variant: number,
): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'sshtrail-record-'));
  try {
    furnish(home);
    const hooked = join(home, '.truth');
    writeFileSync(hooked, '');
    const shell = shellFor(script.shell, home, hooked, variant);
    const job = {
      argv: shell.argv,
      env: {
        PATH: process.env['PATH'],
        HOME: home,
        TERM: 'xterm-256color',
        LANG: 'C.UTF-8',
        LC_ALL: 'C.UTF-8',
        ...shell.env,
      },
      cwd: home,
      columns: condition.columns,
      rows: condition.rows,
      rttMs: condition.rttMs,
      seed: variant,
      steps: script.steps.map(stepFor),
      output: join(into, 'recordings', `${id}.jsonl`),
      about: { id, shell: script.shell, prompt: shell.prompt },
    };
    await run('python3', [join(import.meta.dirname, 'record-pty.py')], JSON.stringify(job));
    const truth = truthOf(script, readFileSync(hooked, 'utf8'));
    writeFileSync(
      join(into, 'truth', `${id}.json`),
      `${JSON.stringify({ id, commands: truth, secrets: script.secrets ?? [] }, undefined, 1)}\n`,
    );
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function furnish(home: string): void {
  mkdirSync(join(home, 'logs'));
  writeFileSync(join(home, 'notes.txt'), 'remember the milk\n');
  writeFileSync(join(home, 'app.conf'), 'port=1\n');
  writeFileSync(join(home, 'app.yaml'), 'port: 1\n');
  writeFileSync(
    join(home, 'app.log'),
    Array.from({ length: 120 }, (_, line) => `line ${line} ${line % 9 === 0 ? 'error' : 'info'} text\n`).join(
      '',
    ),
  );
}

function stepFor(step: Step): object {
  return typeof step === 'string' ? { keys: step } : step;
}

function shellFor(
  shell: Script['shell'],
  home: string,
  hooked: string,
  variant: number,
): { argv: string[]; env: Record<string, string>; prompt: string } {
  const choice = prompts[shell];
  const prompt = choice[variant % choice.length] ?? '';
  switch (shell) {
    case 'bash':
      writeFileSync(
        join(home, '.bashrc'),
        `shopt -s cmdhist lithist; HISTCONTROL=; unset HISTTIMEFORMAT PROMPT_COMMAND\nTRUTH=${hooked}\nPS1=${quoted(prompt)}\nPS0='$(HISTTIMEFORMAT= history 1 >> "$TRUTH"; printf "\\0" >> "$TRUTH")'\n`,
      );
      return { argv: ['bash', '--noprofile', '--rcfile', join(home, '.bashrc'), '-i'], env: {}, prompt };
    case 'zsh': {
      const right = rightPrompts.zsh?.[variant % 4] ?? '';
      writeFileSync(
        join(home, '.zshrc'),
        `autoload -Uz compinit; compinit -u -D\nzstyle ':completion:*' menu select\nsetopt prompt_percent interactive_comments\nPS1=${quoted(prompt)}\nRPS1=${quoted(right)}\npreexec() { print -rN -- "$1" >> ${hooked} }\n`,
      );
      return { argv: ['zsh', '-i'], env: { ZDOTDIR: home }, prompt };
    }
    case 'fish': {
      const shown = prompt === '' ? '' : `function fish_prompt; ${prompt}; end\n`;
      const config = `${shown}set -g fish_greeting\nfunction rec --on-event fish_preexec; printf '%s\\0' "$argv" >> ${hooked}; end`;
      return {
        argv: ['fish', '--init-command', config],
        env: { XDG_CONFIG_HOME: home, XDG_DATA_HOME: home },
        prompt,
      };
    }
    case 'dash':
      return { argv: ['dash', '-i'], env: { PS1: prompt }, prompt };
    case 'ash':
      return { argv: ['busybox', 'ash', '-i'], env: { PS1: prompt }, prompt };
  }
}

/** What the hooks wrote, in the order of the truth by hand where there is some. */
function truthOf(script: Script, hooked: string): readonly object[] {
  const entries = hooked
    .split('\0')
    .map((entry) =>
      (script.shell === 'bash' ? entry.replace(/^\s*\d+\*?\s{2}/, '') : entry).replace(/\n$/, ''),
    )
    .filter((entry) => entry.trim() !== '');
  if (script.truth === undefined) return entries.map((text) => ({ text }));
  const commands = script.truth.map((line) => {
    if (line === null) return { text: entries.shift() ?? 'the hook said nothing' };
    if (typeof line === 'object' && 'typed' in line)
      return { text: entries.shift() ?? 'the hook said nothing', alt: [line.typed] };
    return typeof line === 'string' ? { text: line } : { text: line.optional, optional: true };
  });
  return [...commands, ...entries.map((text) => ({ text }))];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function run(program: string, words: readonly string[], input: string): Promise<void> {
  const child = spawn(program, words, { stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
}
