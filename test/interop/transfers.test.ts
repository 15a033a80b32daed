import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Row } from '#core/contract';
import { hashOfFile, pseudoRandomFile } from '../support/pseudo-random-file.ts';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const policy = `
@id("all") permit (principal in Group::"engineers", action, resource);
@id("no-keys") forbid (principal, action == Action::"download", resource)
  when { context has path && context.path like "*.pem" };
@id("no-configuration") forbid (principal, action == Action::"upload", resource)
  when { context has path && context.path like "*/etc/*" };
`;
let stack: Stack;
let guarded: Stack;

beforeAll(async () => {
  stack = await startStack();
  guarded = await startStack({ policy });
});

afterAll(async () => {
  await stack.close();
  await guarded.close();
});

describe('files through the gateway are on record', () => {
  test('sftp puts and gets a hundred files, each with its bytes and its hash', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'source'));
    mkdirSync(join(folder, 'put'));
    mkdirSync(join(folder, 'got'));
    const names = Array.from({ length: 100 }, (_, index) => `file-${index}`);
    for (const [index, name] of names.entries())
      writeFileSync(join(folder, 'source', name), Buffer.alloc(index * 700, name));

    const finished = await sftp(stack, [
      `put ${folder}/source/* ${folder}/put/`,
      `get ${folder}/put/* ${folder}/got/`,
    ]);

    expect(finished.code, finished.stderr).toBe(0);
    const events = await transfersBelow(stack, `${folder}/put/`, 200);
    for (const direction of ['upload', 'download']) {
      const seen = events.filter((event) => event['direction'] === direction);
      expect(seen.map(factsOf).sort(byText)).toEqual(
        names
          .map((name) => expectedFacts(join(folder, 'source', name), `${folder}/put/${name}`))
          .sort(byText),
      );
    }
  });

  test('scp over SFTP, with an upload of 64 MiB', async () => {
    const folder = temporaryFolder();
    const source = join(folder, 'source');
    const sha256 = await pseudoRandomFile(source, 67_108_864);

    const up = await scp(stack, [source, `${stack.destination()}:${folder}/up`]);
    const down = await scp(stack, [`${stack.destination()}:${folder}/up`, `${folder}/down`]);

    expect([up.code, down.code], up.stderr + down.stderr).toEqual([0, 0]);
    expect(await hashOfFile(join(folder, 'down'))).toBe(sha256);
    const events = await transfersBelow(stack, `${folder}/up`, 2);
    expect(events.map((event) => textOf(event, 'direction')).sort(byText)).toEqual(['download', 'upload']);
    for (const event of events) expect(factsOf(event)).toBe(`${folder}/up 67108864 ${sha256} whole Success`);
  });

  test('scp with the legacy protocol, one file and a tree, both ways', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'tree', 'below'), { recursive: true });
    mkdirSync(join(folder, 'to'));
    mkdirSync(join(folder, 'back'));
    const contents = { 'tree/a': 'a', 'tree/empty': '', 'tree/below/b': 'b'.repeat(200_000) };
    for (const [name, content] of Object.entries(contents)) writeFileSync(join(folder, name), content);

    const finished = [
      await scp(stack, ['-O', join(folder, 'tree/a'), `${stack.destination()}:${folder}/up`]),
      await scp(stack, ['-O', '-r', '-p', join(folder, 'tree'), `${stack.destination()}:${folder}/to`]),
      await scp(stack, ['-O', '-r', '-p', `${stack.destination()}:${folder}/to/tree`, join(folder, 'back')]),
      await scp(stack, ['-O', `${stack.destination()}:${folder}/missing`, join(folder, 'back')]),
      await scp(stack, ['-O', join(folder, 'tree/a'), `${stack.destination()}:${folder}/no/such`]),
    ];

    expect(finished.map(({ code }) => code)).toEqual([0, 0, 0, 1, 1]);
    const events = await transfersBelow(stack, `${folder}/`, 9);
    const seen = events
      .map((event) => `${textOf(event, 'direction')} ${factsOf(event)}`.replaceAll(folder, ''))
      .sort(byText);
    const expected = (direction: string, path: string, name: keyof typeof contents) =>
      `${direction} ${expectedFacts(join(folder, name), path)}`;
    expect(seen).toEqual([
      'download /missing null null null Failure',
      expected('download', '/to/tree/a', 'tree/a'),
      expected('download', '/to/tree/below/b', 'tree/below/b'),
      expected('download', '/to/tree/empty', 'tree/empty'),
      'upload /no/such 0 null no-bytes Failure',
      expected('upload', '/to/tree/a', 'tree/a'),
      expected('upload', '/to/tree/below/b', 'tree/below/b'),
      expected('upload', '/to/tree/empty', 'tree/empty'),
      expected('upload', '/up', 'tree/a'),
    ]);
  });

  test('rsync and git by what their commands name', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'tree'));
    writeFileSync(join(folder, 'tree', 'a'), 'a'.repeat(10_000));
    const shell = ['ssh', ...stack.sshOptions].join(' ');
    await run('git', ['init', '-q', '--bare', join(folder, 'origin.git')]);

    await run('rsync', ['-a', '-e', shell, `${folder}/tree/`, `${stack.destination()}:${folder}/up/`]);
    await run('rsync', ['-a', '-e', shell, `${stack.destination()}:${folder}/up/`, `${folder}/down/`]);
    await run('git', ['clone', '-q', `${stack.destination()}:${folder}/origin.git`, join(folder, 'clone')], {
      env: { GIT_SSH_COMMAND: shell },
    });

    const events = await transfersBelow(stack, `${folder}/`, 3);
    const told = events.map((event) =>
      ['direction', 'path', 'status', 'outcome']
        .map((name) => textOf(event, name))
        .join(' ')
        .replace(folder, ''),
    );
    expect(told.sort(byText)).toEqual([
      'download /origin.git not-read Success',
      'download /up/ not-read Success',
      'upload /up/ not-read Success',
    ]);
  });

  test('what sftp does to files by name, and what the target refuses', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'source'), 'content');

    const finished = await sftp(stack, [
      `put ${folder}/source ${folder}/put`,
      `rename ${folder}/put ${folder}/renamed`,
      `chmod 600 ${folder}/renamed`,
      `symlink renamed ${folder}/link`,
      `ln ${folder}/renamed ${folder}/hard`,
      `mkdir ${folder}/directory`,
      `rmdir ${folder}/directory`,
      `rm ${folder}/renamed`,
      `-get ${folder}/missing ${folder}/got`,
      `-put ${folder}/source ${folder}/no/such/folder`,
    ]);

    expect(finished.code, finished.stderr).toBe(0);
    const rows = await stack.eventually(`SELECT json_extract_scalar(request, '$.operation') AS operation,
      json_extract_scalar(request, '$.request') AS request, path, json_extract_scalar(request, '$.newPath') AS new_path,
      json_extract_scalar(request, '$.attributes') AS attributes, json_extract_scalar(response, '$.outcome') AS outcome,
      json_extract_scalar(response, '$.statusCode') AS status, error_code, event_time
      FROM events WHERE event_name = 'TransferFile' AND request LIKE '%${folder}%' ORDER BY chain_seq`);
    const told = rows.map((row) =>
      Object.keys(row)
        .filter((name) => row[name] !== null && name !== 'event_time')
        .map((name) => textOf(row, name))
        .join(' ')
        .replaceAll(`${folder}/`, ''),
    );
    // A file is on record when its hash is done, which may be after what was done to it next; its time is that of its end.
    const timeOf = (what: string) =>
      Date.parse(textOf(rows[told.findIndex((line) => line.startsWith(what))] ?? {}, 'event_time'));
    expect(told.filter((line) => line.startsWith('transfer')).toSorted()).toEqual([
      'transfer OPEN no/such/folder Failure 2 TargetRefused',
      'transfer OPEN put Success',
    ]);
    expect(timeOf('transfer OPEN put')).toBeLessThanOrEqual(timeOf('rename'));
    expect(told.filter((line) => !line.startsWith('transfer'))).toEqual([
      'rename posix-rename@openssh.com put renamed Success',
      'setstat SETSTAT renamed mode=0600 Success',
      'symlink SYMLINK renamed link Success',
      'hardlink hardlink@openssh.com renamed hard Success',
      'mkdir MKDIR directory mode=0777 Success',
      'rmdir RMDIR directory Success',
      'remove REMOVE renamed Success',
    ]);
  });

  test('a file that was open when the connection ended is said to be unfinished', async () => {
    const folder = temporaryFolder();
    await pseudoRandomFile(join(folder, 'source'), 10_000_000);
    const client = spawn('sftp', [...stack.sshOptions, '-l', '1000', '-b', '-', stack.destination()], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = new Promise((resolve) => client.once('close', resolve));
    client.stdin.write(`get ${folder}/source ${folder}/got\n`);
    await expect.poll(() => sizeOf(join(folder, 'got')), { timeout: 10_000 }).toBeGreaterThan(0);

    client.kill('SIGKILL');
    await ended;

    const [event] = await stack.eventually(
      `SELECT json_extract_scalar(response, '$.outcome') AS outcome FROM events WHERE path = '${folder}/source'`,
    );
    expect(event).toEqual({ outcome: 'Unfinished' });
  });
});

describe('a policy that speaks of files', () => {
  test('refuses sftp those files and no others', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'etc'));
    for (const name of ['a.txt', 'key.pem', 'z.txt']) writeFileSync(join(folder, name), `content of ${name}`);

    const finished = await sftp(guarded, [
      `cd ${folder}`,
      `lcd ${folder}`,
      `get a.txt got-a`,
      `-get key.pem got-key`,
      `-rename key.pem key.txt`,
      `-symlink key.pem key.txt`,
      `-ln key.pem key.txt`,
      `-put a.txt etc/passwd`,
      `-put a.txt ./x/../etc//passwd`,
      `-rename a.txt etc/a`,
      `put a.txt new.pem`,
      `get z.txt got-z`,
    ]);

    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr.match(/Permission denied/gi)?.length).toBe(7);
    expect(readdirSync(folder).sort(byText)).toEqual(
      ['a.txt', 'etc', 'got-a', 'got-z', 'key.pem', 'new.pem', 'z.txt'].sort(byText),
    );
    expect(readdirSync(join(folder, 'etc'))).toEqual([]);
    expect(readFileSync(join(folder, 'got-z'), 'utf8')).toBe('content of z.txt');
    const denied = await guarded.eventually(
      `SELECT path, deny_reason FROM events WHERE event_name = 'TransferFile' AND error_code = 'AccessDenied' AND request LIKE '%${folder}/%'`,
    );
    expect(denied.length).toBe(7);
    expect(new Set(denied.map((row) => row['deny_reason']))).toEqual(new Set(['forbidden-by-policy']));
  });

  test('refuses scp those files and no others, with both protocols', async () => {
    for (const flags of [['-O'], []]) {
      const folder = temporaryFolder();
      for (const name of ['tree', 'etc', 'got']) mkdirSync(join(folder, name));
      for (const name of ['a.txt', 'key.pem', 'z.txt']) writeFileSync(join(folder, 'tree', name), name);
      const remote = `${guarded.destination()}:${folder}`;

      const down = await scp(guarded, [...flags, '-r', '-p', `${remote}/tree`, join(folder, 'got')]);
      const one = await scp(guarded, [...flags, `${remote}/tree/key.pem`, join(folder, 'got')]);
      const up = await scp(guarded, [...flags, join(folder, 'tree/a.txt'), `${remote}/etc/`]);
      const elsewhere = await scp(guarded, [...flags, join(folder, 'tree/a.txt'), `${remote}/up`]);

      expect([down.code !== 0, one.code !== 0, up.code !== 0, elsewhere.code]).toEqual([true, true, true, 0]);
      expect(readdirSync(join(folder, 'got', 'tree')).sort(byText)).toEqual(['a.txt', 'z.txt']);
      expect(readdirSync(join(folder, 'got'))).toEqual(['tree']);
      expect(readdirSync(join(folder, 'etc'))).toEqual([]);
      expect(readFileSync(join(folder, 'up'), 'utf8')).toBe('a.txt');
    }
  });

  test('refuses them where the server of sftp is started by a command, too, and has no transfer on a terminal', async () => {
    const folder = temporaryFolder();
    for (const name of ['a.txt', 'key.pem']) writeFileSync(join(folder, name), name);
    const server = '/usr/lib/openssh/sftp-server';

    const finished = await sftp(
      guarded,
      [`-get ${folder}/key.pem ${folder}/got-key`, `get ${folder}/a.txt ${folder}/got-a`],
      ['-s', server],
    );
    const terminal = await guarded.ssh(['-tt', server]);

    expect(finished.code, finished.stderr).toBe(0);
    expect(readdirSync(folder).sort(byText)).toEqual(['a.txt', 'got-a', 'key.pem']);
    expect(terminal.code).toBe(126);
    expect(terminal.stderr).toContain('leave out -t');
  });

  test('goes on for more refusals than the window has room for at once', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'key.pem'), 'secret');
    writeFileSync(join(folder, 'a.txt'), 'content');

    const finished = await sftp(guarded, [
      ...Array.from({ length: 2500 }, () => `-rename ${folder}/key.pem ${folder}/b.txt`),
      `get ${folder}/a.txt ${folder}/got`,
    ]);

    expect(finished.code, finished.stderr.slice(-500)).toBe(0);
    expect(readFileSync(join(folder, 'got'), 'utf8')).toBe('content');
  });
});

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function scp(on: Stack, args: readonly string[]) {
  return run('scp', [...on.sshOptions, ...args]);
}

function sftp(on: Stack, batch: readonly string[], flags: readonly string[] = []) {
  return run('sftp', [...on.sshOptions, ...flags, '-b', '-', on.destination()], {
    stdin: `${batch.join('\n')}\n`,
  });
}

/** The transfers of files below a folder, once there are as many as expected. */
async function transfersBelow(on: Stack, folder: string, count: number): Promise<readonly Row[]> {
  const sql = `SELECT
      json_extract_scalar(request, '$.path') AS path, json_extract_scalar(request, '$.direction') AS direction,
      json_extract_scalar(response, '$.bytes') AS bytes, json_extract_scalar(response, '$.fileSha256') AS sha256,
      json_extract_scalar(response, '$.sha256Status') AS status, json_extract_scalar(response, '$.outcome') AS outcome
    FROM events WHERE event_name = 'TransferFile' AND json_extract_scalar(request, '$.operation') = 'transfer'
      AND path LIKE '${folder}%'`;
  const deadline = Date.now() + 10_000;
  for (;;) {
    const rows = await on.query(sql);
    if (rows.length >= count || Date.now() > deadline) return rows;
  }
}

function factsOf(event: Row): string {
  return ['path', 'bytes', 'sha256', 'status', 'outcome'].map((name) => textOf(event, name)).join(' ');
}

function textOf(row: Row, name: string): string {
  const value = row[name];
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function byText(one: string, other: string): number {
  return one < other ? -1 : 1;
}

function expectedFacts(source: string, path: string): string {
  const content = readFileSync(source);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return [path, String(content.length), sha256, 'whole', 'Success'].join(' ');
}
