import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTotpSecret, totpCode } from '#core/totp';
import { formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { dataDirectory } from '../../cli/data-directory.ts';
import { announceGateway } from '../../cli/gateway-process.ts';
import { cellText } from '../../cli/output.ts';
import { sshtrail } from '../support/command-line.ts';
import { expectOneSentence } from '../support/one-sentence.ts';
import type { Finished } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const secret = newTotpSecret(Buffer.alloc);
const unused = formatPublicKeyLine(generatePrivateKey('ed25519').publicKey);

let stack: Stack;
/** The session that showed `shown-in-a-shell`, and one with two channels. */
let shell: string;
let twoChannels: string;

beforeAll(async () => {
  stack = await startStack({
    identities: `  - name: alice
    keys: [${JSON.stringify(unused)}]
    totp: { secret: ${secret} }`,
    policy: `@id("all") permit (principal in Group::"engineers", action, resource);
@id("no-halting") @advice("ask who runs it") forbid (principal, action == Action::"exec", resource)
when { context has program && context.program == "reboot" };
`,
  });
  const { host, port } = stack.running.gateway.address;
  announceGateway(stack.data, { pid: process.pid, host, port, startedAtMs: Date.now() });
  const control = join(stack.folder, 'control');
  const shared = ['-o', `ControlPath=${control}`];
  await Promise.all([
    stack.ssh(['-tt'], { stdin: 'echo shown-in-a-shell\nexit\n' }),
    stack.ssh(['reboot --now']),
    stack.ssh(['true'], { destination: stack.destination('no-such-target') }),
    twoCommands(shared),
  ]);
  [shell, twoChannels] = await Promise.all([
    sessionOf("SELECT session_id FROM events WHERE event_name = 'OpenShell'"),
    sessionOf("SELECT session_id FROM commands WHERE command = 'echo two'"),
  ]);
  await stack.eventually('SELECT count(*) FROM sessions WHERE NOT still_open HAVING count(*) = 3');
});

afterAll(async () => {
  await stack?.close();
});

async function twoCommands(shared: readonly string[]): Promise<void> {
  const master = spawn(
    'ssh',
    [...stack.sshOptions, ...shared, '-o', 'ControlMaster=yes', '-N', stack.destination()],
    { stdio: 'ignore' },
  );
  try {
    let first: Finished | undefined;
    const deadline = Date.now() + 15_000;
    while (first?.code !== 0 && Date.now() < deadline)
      first = await stack.ssh([...shared, '-o', 'ProxyCommand=false', 'echo one']);
    await stack.ssh([...shared, '-o', 'ProxyCommand=false', 'echo two']);
  } finally {
    await ended(master);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  if (child.exitCode === null && child.signalCode === null) await exit;
}

async function sessionOf(sql: string): Promise<string> {
  const [row] = await stack.eventually(sql);
  return cellText(row?.['session_id'] ?? null);
}

const onData = (...args: readonly string[]) => sshtrail([...args, '--data', stack.data.root]);

/** As a person reads it, and as a script does. */
async function bothForms(...args: readonly string[]) {
  const [text, json] = await Promise.all([onData(...args), onData(...args, '--json')]);
  expect([text.code, json.code], text.stderr + json.stderr).toEqual([0, 0]);
  return { text: text.stdout.toString(), json: JSON.parse(json.stdout.toString()) as unknown };
}

describe('what happened', () => {
  test('query prints rows under their names, and as JSON', async () => {
    const { text, json } = await bothForms(
      'query',
      "SELECT user_name, command FROM commands WHERE error_code IS NULL AND command_source = 'exec' ORDER BY command",
    );

    expect(
      text
        .trim()
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual(['user_name  command', 'engineer   echo one', 'engineer   echo two']);
    expect(json).toEqual([
      { user_name: 'engineer', command: 'echo one' },
      { user_name: 'engineer', command: 'echo two' },
    ]);
  });

  test('query stops at --rows and says so', async () => {
    const finished = await onData('query', 'SELECT 1 AS n UNION ALL SELECT 2', '--rows', '1', '--json');

    expect(JSON.parse(finished.stdout.toString())).toHaveLength(1);
    expect(finished.stderr).toContain('--rows');
    expect(finished.code).toBe(0);
  });

  test('last shows sessions, and at most as many as asked for', async () => {
    const { text, json } = await bothForms('last', '-n', '2');

    expect(text).toMatch(/^session_id +user_name +target_user/);
    expect(json).toHaveLength(2);
    expect(json).toContainEqual(
      expect.objectContaining({
        user_name: 'engineer',
        target_name: 'web-1',
        end_reason: 'ClientDisconnect',
      }),
    );
  });

  test('denied shows who was refused what, and why', async () => {
    const { text, json } = await bothForms('denied');

    expect(text).toContain('reboot --now');
    expect(text).toContain('unknown-target');
    expect(json).toContainEqual(
      expect.objectContaining({ command: 'reboot --now', error_code: 'AccessDenied' }),
    );
  });

  test('verify says what it looked at', async () => {
    const { text, json } = await bothForms('verify');

    expect(text).toContain('verified: nothing was changed, removed or reordered');
    expect(json).toMatchObject({ ok: true, problems: [], recordings: { stored: 3, intact: 3 } });
  });

  test('doctor finds nothing wrong, and the gateway', async () => {
    const { text, json } = await bothForms('doctor');

    expect(text).toMatch(/^ok +gateway: SSH-2\.0-sshtrail_/m);
    expect(json).not.toContainEqual(expect.objectContaining({ state: 'fault' }));
  });
});

describe('play', () => {
  test('shows what the terminal showed, for any start of the session id that is the only one', async () => {
    const finished = await onData('play', shell.slice(0, 12), '--speed', '0');

    expect(finished.stdout.toString()).toContain('shown-in-a-shell');
    expect(finished.code).toBe(0);
  });

  test('prints one event a line for scripts', async () => {
    const finished = await onData('play', shell, '--json');

    const events = finished.stdout
      .toString()
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(events.length).toBeGreaterThan(1);
    expect(events.at(-1)).toEqual([expect.any(Number), 'x', '0']);
  });

  test('asks which of several recordings is meant, and plays that one', async () => {
    const [any, second] = await Promise.all([
      onData('play', twoChannels, '--speed', '0'),
      onData('play', twoChannels, '--speed', '0', '--channel', 'c2'),
    ]);

    expect(any.stderr).toContain('choose one of c1, c2 with --channel');
    expect(any.code).toBe(1);
    expect(second.stdout.toString()).toContain('two');
  });
});

describe('sessions and kill', () => {
  test('show who is connected, and end it with a reason that the engineer reads', async () => {
    const first = stack.ssh(['echo open; exec sleep 60']);
    const second = stack.ssh(['echo open; exec sleep 60']);
    await stack.eventually('SELECT count(*) FROM sessions WHERE still_open HAVING count(*) = 2');
    const { text, json } = await bothForms('sessions');
    const ids = (json as { readonly sessionId: string }[]).map(({ sessionId }) => sessionId);

    const [unclear, unknown] = await Promise.all([onData('kill', 's-'), onData('kill', 's-ffff')]);
    const byPerson = await onData('kill', ids[0] ?? '', '--reason', 'change window is over');
    const byScript = await onData('kill', (ids[1] ?? '').slice(0, 20), '--json');

    expect(text).toContain(ids[0]);
    expect(ids).toHaveLength(2);
    expect(unclear).toMatchObject({ code: 1, stderr: expect.stringContaining('give more of the id') });
    expect(unknown).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"sshtrail sessions" lists them'),
    });
    expect(byPerson).toMatchObject({ code: 0 });
    expect(byPerson.stdout.toString()).toContain(`ended ${ids[0]}`);
    expect(JSON.parse(byScript.stdout.toString())).toEqual({ sessionId: ids[1], ended: true });
    const ends = await Promise.all([first, second]);
    expect(ends.map(({ code }) => code)).toEqual([255, 255]);
    expect(ends.map(({ stderr }) => stderr).join()).toContain('change window is over');
    expect(
      await stack.eventually("SELECT session_id FROM sessions WHERE end_reason = 'Revoked'"),
    ).toHaveLength(2);
  });
});

describe('totp', () => {
  test('code is the one that an authenticator app shows', async () => {
    const before = totpCode(secret, Date.now());
    const { text, json } = await bothForms('totp', 'code', 'alice');
    const after = totpCode(secret, Date.now());

    expect([before, after]).toContain(text.trim());
    expect(json).toEqual({ identity: 'alice', code: expect.stringMatching(/^\d{6}$/) });
  });

  test('new makes a secret, a different one each time', async () => {
    const finished = await Promise.all([0, 1].map(() => sshtrail(['totp', 'new', 'bob', '--json'])));
    const made = finished.map(({ stdout }): unknown => JSON.parse(stdout.toString()));

    expect(made[0]).not.toEqual(made[1]);
    expect(made[0]).toMatchObject({ identity: 'bob', uri: expect.stringMatching(/^otpauth:\/\/totp\//) });
  });
});

describe('runbook', () => {
  const product = join(import.meta.dirname, '..', '..', 'runbooks');

  test('list and lint hold for what comes with the product', async () => {
    const [list, lint] = await Promise.all([
      sshtrail(['runbook', 'list', '--json']),
      sshtrail(['runbook', 'lint', '--json']),
    ]);

    expect(JSON.parse(list.stdout.toString())).toContainEqual(expect.objectContaining({ id: 'SSH-002' }));
    expect(JSON.parse(lint.stdout.toString())).toEqual([]);
    expect([list.code, lint.code]).toEqual([0, 0]);
  });

  test('the tests of a folder run, and one that fails fails the command', async () => {
    const name = readdirSync(product).find((file) => file.startsWith('SSH-002-')) ?? '';
    const good = temporaryFolder();
    const bad = temporaryFolder();
    cpSync(join(product, name), join(good, name));
    const text = readFileSync(join(product, name), 'utf8');
    writeFileSync(join(bad, name), text.replace('{ findings: 2 }', '{ findings: 3 }'));

    const [passing, failing] = await Promise.all([
      sshtrail(['runbook', 'test', '--directory', good, '--json']),
      sshtrail(['runbook', 'test', '--directory', bad]),
    ]);

    const results = JSON.parse(passing.stdout.toString()) as { readonly failures: readonly string[] }[];
    expect(results.length).toBeGreaterThan(1);
    expect(results.flatMap(({ failures }) => failures)).toEqual([]);
    expect(passing.code).toBe(0);
    expect(failing.stdout.toString()).toMatch(/^FAIL SSH-002 .+; .+$/m);
    expect(failing.stderr).toMatch(/^sshtrail: \d+ of \d+ runbook tests failed; why stands beside each\n$/);
    expect(failing.code).toBe(1);
  });

  test('lint names file and line of what is wrong', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'broken.yaml'), 'id: SSH-999\ntitle: no query\n');

    const [text, json] = await Promise.all([
      sshtrail(['runbook', 'lint', '--directory', folder]),
      sshtrail(['runbook', 'lint', '--directory', folder, '--json']),
    ]);

    expect(text.stdout.toString()).toMatch(/^broken\.yaml:\d+ /);
    expect(JSON.parse(json.stdout.toString())).toContainEqual(
      expect.objectContaining({ file: 'broken.yaml' }),
    );
    expect([text.code, json.code]).toEqual([1, 1]);
  });

  test('run by hand says what it would do, and does it and is on record with --live', async () => {
    // Runs by hand have one stream of evidence, and so follow each other.
    const text = await onData('runbook', 'run', 'SSH-002', '--since', '1');
    const json = await onData('runbook', 'run', 'SSH-002', '--since', '1', '--json');

    expect(text.stdout.toString()).toContain('dry run: nothing was done');
    expect(JSON.parse(json.stdout.toString())).toMatchObject({ dryRun: true, findings: expect.any(Array) });
    expect(await stack.query("SELECT event_id FROM events WHERE event_name = 'StartRunbook'")).toEqual([]);

    const live = await onData('runbook', 'run', 'SSH-002', '--since', '1', '--live');

    expect(live.code, live.stderr).toBe(0);
    const runs = await stack.eventually("SELECT event_id FROM events WHERE event_name = 'StartRunbook'");
    expect(runs).toHaveLength(1);
  });
});

describe('a fault is one sentence with the next step', () => {
  const nowhere = join('/', 'nonexistent', 'sshtrail');

  test.each([
    ['no data', ['query', 'SELECT 1'], 'run "sshtrail up" first'],
    ['no data', ['last'], '--data DIR'],
    ['no data', ['sessions'], '--data DIR'],
    ['no data', ['kill', 's-01'], 'sshtrail up'],
    ['no data', ['play', 's-01'], '--data DIR'],
    ['no data', ['totp', 'code', 'alice'], 'sshtrail up'],
    ['no data', ['runbook', 'run', 'SSH-002'], 'sshtrail up'],
    ['no data', ['doctor'], 'what to do stands beside each'],
  ])('%s: %j', async (_name, args, nextStep) => {
    expectOneSentence(await sshtrail([...args, '--data', nowhere]), nextStep);
  });

  test.each([
    ['two statements', ['query', 'SELECT 1; SELECT 2'], 'one SELECT at a time'],
    ['a statement that changes', ['query', 'DROP TABLE events'], 'begin with SELECT'],
    ['what is no SQL', ['query', 'SELEC 1'], 'begin with SELECT'],
    ['a session that never was', ['play', 's-ffffffff'], 'no recording of a session'],
    ['what is no session id', ['play', "s-'; --"], '"sshtrail last" lists them'],
    ['a channel that is none', ['play', '@two', '--channel', 'c9'], 'it has c1, c2'],
    ['an identity without a factor', ['totp', 'code', 'engineer'], 'totp entry in sshtrail.yaml'],
    ['a runbook that is none', ['runbook', 'run', 'SSH-999'], '"sshtrail runbook list" shows them'],
  ])('%s: %j', async (_name, args, nextStep) => {
    expectOneSentence(await onData(...args.map((arg) => (arg === '@two' ? twoChannels : arg))), nextStep);
  });

  test.each([
    ['SELECT nothing FROM events', 'nothing'],
    ["SELECT * FROM read_text('/etc/passwd')", 'queries reach the events of the lake and nothing else'],
  ])('%s: and the place in the SQL', async (sql, what) => {
    const finished = await onData('query', sql);

    expect(finished.code).toBe(1);
    expect(finished.stderr).toMatch(/^sshtrail: /);
    expect(finished.stderr).toContain(what);
    expect(finished.stderr).toContain('LINE 1');
    expect(finished.stderr).not.toMatch(/^\s+at /m);
  });

  test('verify says by another code that there was nothing to go by', async () => {
    const [nothing, noKey] = await Promise.all([
      sshtrail(['verify', '--data', nowhere]),
      sshtrail(['verify', stack.data.lake]),
    ]);

    expectOneSentence(nothing, '--data DIR', 2);
    expect(noKey.code).toBe(2);
    expect(noKey.stderr).toContain('--public-key');
  });
});

test('doctor says what to do about what others can read, and verify names the record that was changed', async () => {
  await stack.running.journal.sealNow();
  const copy = dataDirectory(join(temporaryFolder(), 'copy'));
  cpSync(stack.data.lake, copy.lake, { recursive: true });
  chmodSync(copy.root, 0o755);
  const events = join(copy.lake, 'events');
  const file = readdirSync(events, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('.gz'),
  );
  const path = join(events, file ?? '');
  const changed = gunzipSync(readFileSync(path)).toString().replace('reboot --now', 'reboot --not');
  chmodSync(path, 0o600);
  writeFileSync(path, gzipSync(changed));

  const [verify, doctor] = await Promise.all([
    sshtrail(['verify', '--data', copy.root]),
    sshtrail(['doctor', '--json', '--data', copy.root]),
  ]);

  expect(verify.code).toBe(1);
  expect(verify.stdout.toString()).toMatch(/\.ndjson\.gz, record \d+: .* \([a-z-]+\)\n/);
  expect(verify.stderr).toContain('keep this directory as it is');
  expect(doctor.code).toBe(1);
  expect(JSON.parse(doctor.stdout.toString())).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ state: 'warning', text: expect.stringContaining('chmod 700') }),
      expect.objectContaining({ name: 'evidence', state: 'fault' }),
    ]),
  );
});
