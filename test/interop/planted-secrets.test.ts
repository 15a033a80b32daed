import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plantedSecrets } from '../core/redaction/planted-secrets.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ sshdConfiguration: ['AcceptEnv *'] });
});

afterAll(() => stack?.close());

const planted = plantedSecrets(200, 'through the gateway');
const typed = planted.filter(({ way }) => way === 'typed');
const printed = planted.filter(({ way }) => way === 'printed');
const esc = '\u001b';
const drawing = new RegExp(`${esc}\\[[0-9;?]*[A-Za-z]|${esc}\\][^\\u0007]*\\u0007|[\\b\\r\\n]| (?=\\r)`, 'g');

/** Writes the planted output piece by piece, as a program on the target does. */
function printingProgram(): string {
  const file = join(stack.folder, 'print.mjs');
  const pieces = planted.flatMap(({ events }) => events.map((event) => event.toString('base64')));
  writeFileSync(
    file,
    `import { setTimeout as delay } from 'node:timers/promises';
for (const piece of ${JSON.stringify(pieces)}) {
  process.stdout.write(Buffer.from(piece, 'base64'));
  await delay(1);
}\n`,
  );
  return `${process.execPath} ${file}`;
}

/** What a secret stands in, on one line. */
function lineOf({ events }: (typeof planted)[number]): string {
  return Buffer.concat([...events])
    .toString()
    .replace(drawing, '')
    .replace(/^.*?\$ /, '');
}

/** A person at bash, a key at a time. Behind the sign of a comment nothing of it runs. */
async function typeAll(lines: readonly string[]): Promise<void> {
  const child = spawn('ssh', [
    ...stack.sshOptions,
    '-tt',
    stack.destination(),
    'env PS1="ready$ " HISTFILE= bash --norc --noprofile -i',
  ]);
  child.stdout.resume();
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  for (const line of [...lines.map((each) => `# ${each}`), 'exit']) {
    for (const key of `${line}\r`) {
      child.stdin.write(key);
      await delay(1);
    }
    await delay(30);
  }
  await closed;
}

/** Every byte below the data directory, as it is and unpacked; recordings as what they draw, too. */
function storedTexts(): readonly (readonly [name: string, text: string])[] {
  const files = readdirSync(stack.data.root, { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile())
    .flatMap((file) => {
      const name = join(file.parentPath, file.name);
      const bytes = readFileSync(name);
      const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
      return name.includes('.cast')
        ? [[name, text] as const, [name, drawn(text)] as const]
        : [[name, text] as const];
    });
}

function drawn(cast: string): string {
  const events = cast.split('\n').filter((line) => line.startsWith('['));
  return events
    .map((line) => JSON.parse(line))
    .map(([, code, data]) => (code === 'o' ? data : ''))
    .join('')
    .replace(drawing, '');
}

test('200 secrets, typed, pasted, printed, coloured, split, in flags and in the environment, are in no stored byte', async () => {
  const program = printingProgram();
  const environment = printed.slice(0, 8).map((each, index) => `SECRET_${index}=${each.hidden[0] ?? ''}`);
  const flags = typed.slice(0, 12).map((each) => `true # ${lineOf(each)}`);

  const results = await Promise.all([
    stack.ssh(['-tt', `stty -opost -echo; ${program}`], { timeoutMs: 60_000 }),
    stack.ssh([program], { timeoutMs: 60_000 }),
    stack.ssh(['-o', `SetEnv=${environment.join(' ')}`, 'env']),
    typeAll(typed.map(lineOf)),
  ]);
  for (const flag of flags) await stack.ssh([flag]);
  await stack.eventually(
    "SELECT 1 AS ended FROM events WHERE event_name = 'EndSession' HAVING count(*) >= 16",
  );
  await stack.running.journal.sealNow();

  const [onTerminal, piped] = results;
  for (const { hidden } of printed) expect(piped.stdout.toString()).toContain(hidden[0]);
  expect(onTerminal.code, onTerminal.stderr).toBe(0);
  const stored = storedTexts();
  expect(stored.filter(([name]) => name.endsWith('.cast.gz')).length).toBeGreaterThanOrEqual(2 * 3);
  const leaks = planted.flatMap(({ kind, way, hidden }) =>
    hidden.flatMap((secret) =>
      stored.filter(([, text]) => text.includes(secret)).map(([name]) => `${kind} ${way} in ${name}`),
    ),
  );
  expect(leaks).toEqual([]);
}, 180_000);
