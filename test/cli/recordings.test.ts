import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { announceGateway } from '../../cli/gateway-process.ts';
import { cellText } from '../../cli/output.ts';
import { sealingKeyOf, sealingKeyText } from '../../core/sealing/index.ts';
import { sshtrail, sshtrailProgram } from '../support/command-line.ts';
import { expectOneSentence } from '../support/one-sentence.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { privateKey } = generateKeyPairSync('x25519');
let stack: Stack;
/** The session that showed `shown-in-a-shell`. */
let shell: string;

beforeAll(async () => {
  stack = await startStack({
    configuration: ['redaction:', `  sealOriginalTo: ${sealingKeyText(sealingKeyOf(privateKey))}`].join('\n'),
  });
  await stack.ssh(['-tt'], { stdin: 'echo shown-in-a-shell\nexit\n' });
  const [row] = await stack.eventually("SELECT session_id FROM events WHERE event_name = 'StoreRecording'");
  shell = cellText(row?.['session_id'] ?? null);
  // Made when the recording is on record.
  await stack.eventually(`SELECT text FROM screen_text WHERE session_id = '${shell}'`);
});

afterAll(async () => {
  await stack?.close();
});

const onData = (...args: readonly string[]) => sshtrail([...args, '--data', stack.data.root]);

describe('open-original', () => {
  test('writes what was shown before secrets were hidden, to who has the key, and is on record', async () => {
    const folder = temporaryFolder();
    const [keyFile, other, path] = ['key.pem', 'other.pem', 'original.cast'].map((name) =>
      join(folder, name),
    );
    const pem = { type: 'pkcs8', format: 'pem' } as const;
    writeFileSync(keyFile ?? '', privateKey.export(pem));
    writeFileSync(other ?? '', generateKeyPairSync('x25519').privateKey.export(pem));
    await stack.ssh(['-tt', 'echo --password=hunter2-hunter2']);
    const [row] = await stack.eventually(
      `SELECT r.session_id FROM events AS r JOIN commands AS c ON c.session_id = r.session_id
       WHERE r.event_name = 'StoreRecording' AND c.command LIKE 'echo --password%'`,
    );
    const id = cellText(row?.['session_id'] ?? null);
    const openOriginal = (key = '', to = '') =>
      onData('open-original', id, '--private-key', key, '--output', to);

    const refused = await openOriginal(other, path);
    const opened = await openOriginal(keyFile, path);
    const played = await onData('play', id);

    expectOneSentence(refused, 'the sealed original cannot be opened');
    expect(opened).toMatchObject({ code: 0, stderr: expect.stringContaining('it holds secrets') });
    expect(readFileSync(path ?? '', 'utf8')).toContain('hunter2-hunter2');
    expect(statSync(path ?? '').mode & 0o777).toBe(0o600);
    expect(played.stdout.toString()).not.toContain('hunter2');
    expect(
      await stack.eventually(
        `SELECT event_id FROM events WHERE event_name = 'ExportEvidence'
         AND json_extract_scalar(request, '$.format') = 'original' AND json_extract_scalar(request, '$.subjectSessionId') = '${id}'`,
      ),
    ).toHaveLength(2);
  });

  test('says what is wrong with the key', async () => {
    const copy = join(temporaryFolder(), 'data');
    const keyFile = join(temporaryFolder(), 'key.pem');
    writeFileSync(keyFile, 'x');

    expectOneSentence(
      await sshtrail([
        'open-original',
        shell,
        '--private-key',
        keyFile,
        '--output',
        copy,
        '--data',
        stack.data.root,
      ]),
      'is no private key in PEM',
    );
  });
});

describe('watch', () => {
  test('shows a session from its current screen on, as it goes on, and ends with it', async () => {
    announceGateway(stack.data, {
      pid: process.pid,
      ...stack.running.gateway.address,
      startedAtMs: Date.now(),
    });
    // What it waits for comes from whoever looks on, so this ends only where that was shown in time.
    const gate = join(temporaryFolder(), 'seen');
    const script = `printf 'before \\033]52;c;aGk=\\007it'; until [ -e ${gate} ]; do sleep 0.1; done; echo; echo live-until-the-end`;
    const watchedSession = stack.ssh(['-tt', script]);
    const [row] = await stack.eventually(
      "SELECT session_id FROM sessions WHERE still_open AND session_id IN (SELECT session_id FROM commands WHERE command LIKE '%live-until%')",
    );
    const id = cellText(row?.['session_id'] ?? null);
    const child = spawn(
      sshtrailProgram.program,
      [...sshtrailProgram.first, 'watch', id, '--data', stack.data.root],
      {
        env: { ...process.env, ...sshtrailProgram.env },
      },
    );
    let shown = '';
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const exited = once(child, 'exit');

    await vi.waitFor(() => expect(shown).toContain('before it'), { timeout: 20_000, interval: 20 });
    writeFileSync(gate, '');
    const [code] = await exited;
    await watchedSession;

    expect(code).toBe(0);
    expect(shown).toContain('live-until-the-end');
    // Sets a clipboard, which is that of who watches.
    expect(shown).not.toContain('\u001b]52');
    expect(said).toMatch(/^watching s-[^]*\nc1: exec, [^]*\nc1 has ended\nthe session has ended\n$/);
    const [joined] = await stack.eventually(
      `SELECT user_name, json_extract_scalar(request, '$.subjectName') AS subject FROM events
       WHERE event_name = 'JoinSession' AND json_extract_scalar(request, '$.subjectSessionId') = '${id}'`,
    );
    expect(joined).toEqual({ user_name: userInfo().username, subject: 'engineer' });
    const over = await onData('watch', id);
    expectOneSentence(over, '"sshtrail sessions" lists them');
  }, 60_000);
});

describe('search', () => {
  test('finds what a screen said, and prints the command that shows it', async () => {
    const finished = await onData('search', 'SHOWN-IN', 'shell', '--since', '1h');

    const command = `sshtrail play ${shell} --channel c1 --at `;
    expect(finished.stderr).toMatch(/^\d+ found\n$/);
    expect(finished.stdout.toString()).toContain('(screen)\n  shown-in-a-shell\n');
    expect(finished.stdout.toString()).toContain(command);
    const [, second = ''] = new RegExp(`${command}(\\d+) --data`).exec(finished.stdout.toString()) ?? [];
    const played = await onData('play', shell, '--channel', 'c1', '--at', second);
    expect(played.stdout.toString()).toContain('shown-in-a-shell');
  });

  test('prints JSON for scripts, and nothing of others', async () => {
    const [all, others] = await Promise.all([
      onData('search', 'shown-in-a-shell', '--json', '-n', '1'),
      onData('search', 'shown-in-a-shell', '--json', '--user', 'nobody'),
    ]);

    expect(JSON.parse(all.stdout.toString())).toEqual([
      expect.objectContaining({ sessionId: shell, channel: 'c1', user: 'engineer' }),
    ]);
    expect(JSON.parse(others.stdout.toString())).toEqual([]);
  });

  test('is on record before it shows anything, without the secrets somebody looked for', async () => {
    await onData('search', 'mysql --password=hunter2-hunter2', '--target', 'db1');

    const [row] = await stack.eventually(
      `SELECT user_name, json_extract_scalar(request, '$.query') AS query, json_extract_scalar(request, '$.subjectTarget') AS target
       FROM events WHERE event_name = 'QueryAuditLog' AND json_extract_scalar(request, '$.subjectTarget') = 'db1'`,
    );
    expect(row).toEqual({
      user_name: userInfo().username,
      query: `mysql --password=${'*'.repeat(15)}`,
      target: 'db1',
    });
  });

  test('says of which recordings it does not know, and learns of them where it is asked to', async () => {
    const copy = join(temporaryFolder(), 'data');
    cpSync(stack.data.root, copy, { recursive: true });
    rmSync(join(copy, 'lake', 'screen-text'), { recursive: true });
    const onCopy = (...args: readonly string[]) => sshtrail(['search', ...args, '--data', copy, '--json']);

    const before = await onCopy('shown-in-a-shell');
    const after = await onCopy('shown-in-a-shell', '--index');

    expect(before.stderr).toMatch(/^the screens of \d+ recordings are not searchable yet; add --index/);
    expect(JSON.stringify(JSON.parse(before.stdout.toString()))).not.toContain('"screen"');
    expect(after.stderr).toMatch(/^\d+ recordings were made searchable\n$/);
    expect(JSON.stringify(JSON.parse(after.stdout.toString()))).toContain('"screen"');
  });

  test.each([
    [['search', ''], 'search for 1 to 16 words'],
    [['search', 'x', '--since', 'yesterday'], 'expected a day or a time'],
  ])('says what is wrong with %j', async (args, part) => {
    const finished = await onData(...args);

    expect(finished.code).not.toBe(0);
    expect(finished.stderr).toContain(part);
  });
});

describe('play and export', () => {
  test('begins where it is told to, and says how long the recording is where that is too late', async () => {
    const [start, late] = await Promise.all([
      onData('play', shell, '--at', '0:00'),
      onData('play', shell, '--at', '10:00:00'),
    ]);

    expect(start.stdout.toString()).toContain('shown-in-a-shell');
    expectOneSentence(late, 'seconds long; choose an earlier --at');
  });

  test('shows everything at once into a pipe, and puts no terminal back there', async () => {
    const finished = await onData('play', shell);

    expect(finished.stdout.toString()).toContain('shown-in-a-shell');
    expect(finished.stdout.toString()).not.toContain('\u001b[?25h');
  });

  test('is on record, with who did it', async () => {
    await onData('play', shell);
    await onData('export', shell, '--format', 'text');

    const rows = await stack.eventually(
      `SELECT event_name, user_name, json_extract_scalar(request, '$.subjectSessionId') AS session FROM events
       WHERE event_name IN ('ViewRecording', 'ExportEvidence') AND json_extract_scalar(request, '$.subjectSessionId') = '${shell}'`,
    );
    expect(new Set(rows.map((row) => cellText(row['event_name'] ?? null)))).toEqual(
      new Set(['ViewRecording', 'ExportEvidence']),
    );
    expect(cellText(rows[0]?.['user_name'] ?? null)).toBe(userInfo().username);
  });

  test.each([
    ['text', /^.*echo shown-in-a-shell\r?\n(?:.*\n)*shown-in-a-shell\n/],
    ['cast', /^\{"version":3,.*\n\[/],
    ['cast2', /^\{"version":2,.*\n\[/],
    ['html', /^<!DOCTYPE html>[^]*Content-Security-Policy[^]*<\/html>\n$/],
  ])('writes %s to a file of its own', async (format, expected) => {
    const path = join(temporaryFolder(), `recording.${format}`);

    const first = await onData('export', shell, '--format', format, '--output', path);
    const again = await onData('export', shell, '--format', format, '--output', path);

    expect(first.stderr).toBe(`wrote ${path}\n`);
    expect(readFileSync(path, 'utf8')).toMatch(expected);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expectOneSentence(again, 'is there already');
  });

  test('names the piece that was changed', async () => {
    const copy = join(temporaryFolder(), 'data');
    cpSync(stack.data.root, copy, { recursive: true });
    const recordings = join(copy, 'lake', 'recordings');
    const name =
      readdirSync(recordings, { recursive: true, encoding: 'utf8' }).find(
        (path) => path.includes(shell) && path.endsWith('.cast.gz'),
      ) ?? '';
    chmodSync(join(recordings, name), 0o600);
    writeFileSync(join(recordings, name), gzipSync('changed'));

    const finished = await sshtrail(['play', shell, '--data', copy]);

    expectOneSentence(finished, 'is not the one that was recorded');
    expect(finished.stderr).toContain('000000.cast.gz');
  });
});
