/**
 * What a line of shell plainly runs, beside the line as a whole: its simple commands, without assignments and without the programs that
 * run another (`sudo -u www env X=1 reboot` runs `reboot`). A reading good enough to help against mistakes; it knows no aliases, no
 * variables, no quotes inside a program's name.
 */
export function commandParts(line: string): readonly string[] {
  const whole = line.trim();
  const parts = new Set<string>();
  for (const simple of simpleCommands(whole.slice(0, maxLineLength))) {
    for (let part = simple; part !== '' && parts.size < maxParts; part = withoutFirst(part)) {
      if (part !== whole) parts.add(part);
      if (!beginsAnother(part)) break;
    }
    if (parts.size >= maxParts) break;
  }
  return [...parts];
}

/** The first word of a command, where there plainly is one. */
export function programOf(command: string): string | undefined {
  return /^\s*([A-Za-z0-9_./+-]+)(?=\s|$)/.exec(command)?.[1];
}

/** Whether a command, or a part of it, plainly asks for the rights of another account. */
export function isPrivileged(command: string): boolean {
  return [command, ...commandParts(command)].some((part) => raisesRights.test(programOf(part) ?? ''));
}

const maxParts = 64;
const maxLineLength = 64 * 1024;

const raisesRights = /^(?:.*\/)?(?:sudo|sudoedit|doas|su|pkexec|run0|runuser)$/;
const runsAnother =
  /^(?:.*\/)?(?:sudo|doas|pkexec|run0|runuser|env|nohup|nice|ionice|setsid|stdbuf|timeout|time|exec|command|builtin|eval|xargs|if|then|elif|else|while|until|do|!|watch)$/;
const assignment = /^[A-Za-z_]\w*\+?=/;
/** Options of sudo, env, nice and the like that take the next word. */
const takesNext = /^-[ugUhpCcDRTrtnkSs]$/;

/** Whether the first word is none that the part runs, so that the rest of it is looked at, too. */
function beginsAnother(part: string): boolean {
  const [word] = wordAt(part);
  return assignment.test(word) || word.startsWith('-') || runsAnother.test(word) || /^\d+[smhd]?$/.test(word);
}

function withoutFirst(part: string): string {
  const [word, rest] = wordAt(part);
  if (!takesNext.test(word)) return rest;
  // Whether the option takes a word is not known of each program: `env -u NAME reboot`, `sudo -n reboot`.
  const [next, behind] = wordAt(rest);
  return /^-?[A-Za-z_]*$/.test(next) && behind !== '' && word !== '-n' ? behind : rest;
}

function wordAt(text: string): readonly [word: string, rest: string] {
  const word = /^(?:"[^"]*"|'[^']*'|\\.|[^\s"'\\]|["'\\])+/s.exec(text)?.[0] ?? '';
  return [word, text.slice(word.length).trim()];
}

/** Cut at what ends a command outside of quotes; what `$(`, backquotes and brackets hold is a command of its own. */
function simpleCommands(line: string): string[] {
  const found: string[] = [];
  let quote = '';
  let start = 0;
  const cut = (end: number): void => {
    const command = line.slice(start, end).trim();
    if (command !== '') found.push(command);
    start = end + 1;
  };
  for (let at = 0; at < line.length && found.length < maxParts; at += 1) {
    const character = line[at] ?? '';
    if (character === '\\' && quote !== "'") at += 1;
    else if (quote === "'") quote = character === "'" ? '' : quote;
    else if (character === '"') quote = quote === '"' ? '' : '"';
    else if (character === "'" && quote === '') quote = "'";
    else if (character === '`' || (character === '$' && line[at + 1] === '(')) cut(at);
    else if (quote === '' && ';&|\n()'.includes(character)) cut(at);
    else if (quote === '' && character === '{' && /\s/.test(line[at + 1] ?? '')) cut(at);
    else if (character === '(' && start === at) start = at + 1;
    else if (character === ')' && quote === '"') cut(at);
  }
  cut(line.length);
  return found;
}
