import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { inTerminal } from '../support/terminal.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

afterAll(async () => {
  await stack.close();
});

describe('a stock OpenSSH client through the gateway to a stock sshd', () => {
  test('runs a command and hands its exit status back', async () => {
    const finished = await stack.ssh(['echo out; echo err >&2; exit 7']);

    expect(finished.stdout.toString()).toBe('out\n');
    expect(finished.stderr).toContain('err\n');
    expect(finished.code).toBe(7);
  });

  test('learns that a command died of a signal, and so do the events', async () => {
    const finished = await stack.ssh(['kill -TERM $$']);

    expect(finished.code).toBe(255);
    const completed = await stack.eventually(
      "SELECT event_name FROM events WHERE event_name = 'CompleteCommand' AND exit_signal = 'TERM'",
    );
    expect(completed).toHaveLength(1);
  });

  test('sets variables that are on record, with secrets hidden, and reach the target', async () => {
    const variables = 'LC_NAME=zażółć LC_PASSWORD=hunter2-hunter2';
    const finished = await stack.ssh(['-o', `SetEnv=${variables}`, 'echo $LC_NAME $LC_PASSWORD']);

    expect(finished.stdout.toString()).toBe('zażółć hunter2-hunter2\n');
    const rows = await stack.eventually(
      `SELECT json_extract_scalar(request, '$.variable') AS name, json_extract_scalar(request, '$.value') AS value
       FROM events WHERE event_name = 'SetEnvironment' AND request LIKE '%"variable":"LC\\_%' ESCAPE '\\' ORDER BY name`,
    );
    expect(rows).toEqual([
      { name: 'LC_NAME', value: 'zażółć' },
      { name: 'LC_PASSWORD', value: '*'.repeat(15) },
    ]);
  });

  test('sends its standard input to the end', async () => {
    const input = 'x'.repeat(300_000);

    const finished = await stack.ssh(['wc -c'], { stdin: input });

    expect(finished.stdout.toString().trim()).toBe('300000');
  });

  test('opens a shell on a terminal and tells it when the window changes', async () => {
    const started = join(temporaryFolder(), 'started');
    const script = [
      'stty rows 30 cols 100',
      `(while [ ! -e ${started} ]; do sleep 0.1; done; stty rows 41 cols 123 < /dev/tty) &`,
      `ssh ${stack.sshOptions.map(quoted).join(' ')} -tt ${stack.destination()} 'stty size; touch ${started}; while [ "$(stty size)" = "30 100" ]; do sleep 0.1; done; stty size; tty'`,
    ].join('\n');

    const finished = await inTerminal(script);

    expect(finished.stdout.toString()).toMatch(/30 100\r?\n41 123\r?\n\/dev\//);
  });

  test('gets an interactive shell that takes typed commands', async () => {
    const finished = await stack.ssh(['-tt'], {
      destination: stack.destination(),
      stdin: 'echo typed-$((40+2))\nexit 3\n',
    });

    expect(finished.stdout.toString()).toContain('typed-42');
    expect(finished.code).toBe(3);
  });

  test('negotiates a post-quantum key exchange, whichever of the two the client has', async () => {
    const kex = (await run('ssh', ['-Q', 'kex'])).stdout.toString().split('\n');
    const expected = [
      'mlkem768x25519-sha256',
      'sntrup761x25519-sha512',
      'sntrup761x25519-sha512@openssh.com',
      'curve25519-sha256',
    ].find((name) => kex.includes(name));

    const finished = await stack.ssh(['-v', 'true']);

    expect(finished.stderr).toContain(`kex: algorithm: ${expected}`);
  });

  test("is named in the target's own log by session and identity", async () => {
    const finished = await stack.ssh(['true']);

    expect(finished.code).toBe(0);
    const log = readFileSync(stack.sshd.logFile, 'utf8');
    expect(log).toMatch(/ID sshtrail:s-[0-9a-f]{32}:engineer \(serial \d+\)/);
  });

  test('has standard output and standard error interleaved byte for byte', async () => {
    const megabyte = 1_048_576;
    const command = `i=0; while [ $i -lt 64 ]; do head -c ${megabyte} /dev/zero | tr '\\0' 'o'; head -c ${megabyte} /dev/zero | tr '\\0' 'e' >&2; i=$((i+1)); done`;

    const finished = await stack.ssh(['-q', command], { timeoutMs: 60_000 });

    expect(finished.code).toBe(0);
    // Compared as bytes: what differs would be printed whole.
    expect(finished.stdout.equals(Buffer.alloc(64 * megabyte, 'o'))).toBe(true);
    expect(Buffer.from(finished.stderr).equals(Buffer.alloc(64 * megabyte, 'e'))).toBe(true);
  });
});

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
