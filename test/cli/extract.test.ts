import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sshtrail } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const recording = [
  { type: 'header', version: 1, cols: 80, rows: 24 },
  { t: 0, k: 'o', d: '\x1b[?2004hme:~$ ' },
  { t: 1, k: 'i', d: 'sudo id' },
  { t: 1.1, k: 'o', d: 'sudo id' },
  { t: 1.25, k: 'i', d: '\r' },
  { t: 1.3, k: 'o', d: '\r\n\x1b[?2004l\rPassword: ' },
  { t: 2, k: 'i', d: 'hunter2\r' },
  { t: 2.5, k: 'o', d: '\r\n' },
]
  .map((event) => `${JSON.stringify(event)}\n`)
  .join('');

function recorded(text: string): string {
  const path = join(temporaryFolder(), 'recording.jsonl');
  writeFileSync(path, text);
  return path;
}

test('prints one JSON object a command, and no key that was not shown', async () => {
  const { code, stdout } = await sshtrail(['extract', recorded(recording)]);

  expect(code).toBe(0);
  expect(JSON.parse(stdout.toString())).toEqual({
    t: 1.25,
    text: 'sudo id',
    kind: 'command',
    confidence: 'high',
    prompt: 'me:~$ ',
  });
});

test('says where something was typed that was not shown, when asked', async () => {
  const { stdout } = await sshtrail(['extract', '--hidden', recorded(recording)]);

  expect(stdout.toString()).toContain('{"t":2,"text":"","kind":"hidden","prompt":"Password: "}');
  expect(stdout.toString()).not.toContain('hunter2');
});

test('names the line that is no event', async () => {
  const { code, stderr } = await sshtrail(['extract', recorded(`${recording}oops\n`)]);

  expect(code).toBe(1);
  expect(stderr).toContain('line 9 of');
});

test('says that a recording cannot be read', async () => {
  const { code, stderr } = await sshtrail(['extract', '/nowhere/at/all']);

  expect(code).toBe(1);
  expect(stderr).toContain('cannot read /nowhere/at/all');
});
