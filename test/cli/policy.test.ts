import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sshtrail } from '../support/command-line.ts';
import { type PreparedGateway, prepareGateway } from '../support/prepared-gateway.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let prepared: PreparedGateway;

const policy = `
@id("work") @idle_timeout("15m") permit (principal in Group::"engineers", action in Action::"session", resource);
@id("test-needs-factor") forbid (principal, action, resource in HostGroup::"env=test") unless { context.mfa };
@id("prd") forbid (principal, action, resource in HostGroup::"env=tset");
`;

beforeAll(async () => {
  prepared = await prepareGateway({ policy });
});

afterAll(async () => {
  await prepared.remove();
});

const ask = (...args: readonly string[]) => sshtrail(['policy', ...args, '--data', prepared.data.root]);
const explain = (...args: readonly string[]) =>
  ask('explain', '--user', 'engineer', '--target', 'web-1', '--login', 'deploy', ...args);

describe('sshtrail policy check', () => {
  test('says that the policies can be used, and which names nobody has', async () => {
    const text = await ask('check');
    const json = JSON.parse((await ask('check', '--json')).stdout.toString());

    expect(text.code).toBe(0);
    expect(text.stdout.toString()).toContain('3 policies can be used');
    expect(text.stdout.toString()).toMatch(
      /policy\.cedar:4:1: policy "prd" names HostGroup::"env=tset"[^]*did you mean "env=test"/,
    );
    expect(json).toMatchObject({ ok: true, policies: 3, problems: [], warnings: [{ line: 4 }] });
  });

  test('tells of a file that cannot be used what is wrong and where, without any data directory', async () => {
    const file = join(temporaryFolder(), 'new.cedar');
    writeFileSync(file, '@id("a")\n@idle_timeout("never") permit (principal, action, resource);', {
      mode: 0o600,
    });
    const nowhere = join(temporaryFolder(), 'none');

    const text = await sshtrail(['policy', 'check', file, '--data', nowhere]);
    const json = await sshtrail(['policy', 'check', file, '--data', nowhere, '--json']);

    expect([text.code, json.code]).toEqual([1, 1]);
    expect(text.stdout.toString()).toContain(`${file}:2:1: @idle_timeout is not a time from 1s to 14d`);
    expect(text.stderr).toContain('the policies cannot be used: 1 problem in 1 file');
    expect(JSON.parse(json.stdout.toString())).toMatchObject({
      ok: false,
      problems: [{ file, line: 2, column: 1 }],
    });
  });
});

describe('sshtrail policy explain', () => {
  test('shows the answer, the policies behind it and what would change it', async () => {
    const denied = await explain('--action', 'shell');
    const allowed = await explain('--action', 'shell', '--mfa');

    expect(denied.stdout.toString()).toContain('denied (forbidden-by-policy)');
    expect(denied.stdout.toString()).toContain('forbid "test-needs-factor" at policy.cedar:3');
    expect(denied.stdout.toString()).toContain('A second factor, proved now, would allow it.');
    expect(allowed.stdout.toString()).toContain('allowed: engineer may open a shell as deploy on web-1');
    expect(allowed.stdout.toString()).toContain('It ends after 15 minutes without input.');
    expect([denied.code, allowed.code]).toEqual([0, 0]);
  });

  test('says the same as JSON', async () => {
    const { stdout } = await explain('--action', 'exec', '--command', 'uptime', '--json');

    expect(JSON.parse(stdout.toString())).toMatchObject({
      allowed: false,
      reason: 'forbidden-by-policy',
      action: 'connect',
      policies: [{ id: 'test-needs-factor', effect: 'forbid', line: 3 }],
      stepUp: 'mfa',
      approvalsNeeded: 0,
    });
  });

  test.each([
    ['an action that is none', ['--action', 'fly'], /--action/],
    ['a command without its text', ['--action', 'exec'], /exec needs a command/],
    ['a factor that is none', ['--action', 'shell', '--mfa', 'sms'], /--mfa/],
    ['a time that is none', ['--action', 'shell', '--at', 'tomorrow'], /--at/],
    ['a source that is none', ['--action', 'shell', '--source', 'here'], /--source/],
  ])('refuses %s', async (_, args, message) => {
    const finished = await explain(...args);

    expect(finished.code).toBe(1);
    expect(finished.stderr).toMatch(message);
  });

  test('knows what the gateway refuses by itself', async () => {
    const { stdout, code } = await ask(
      'explain',
      '--user',
      'engineer',
      '--target',
      'wbe-1',
      '--login',
      'x',
      '--action',
      'shell',
    );

    expect([code, stdout.toString()]).toEqual([
      0,
      'denied (unknown-target): there is no target "wbe-1"; did you mean "web-1"?\n',
    ]);
  });
});

describe('sshtrail policy test', () => {
  function tableOf(...tests: readonly string[]): string {
    const file = join(temporaryFolder(), 'tests.yaml');
    writeFileSync(file, `tests:\n${tests.map((test) => `  - ${test}\n`).join('')}`);
    return file;
  }
  const met =
    '{ name: "a <factor>", user: engineer, target: web-1, login: deploy, action: shell, expect: deny, because: test-needs-factor }';
  const missed = '{ user: engineer, target: web-1, login: deploy, action: shell, mfa: totp, expect: deny }';

  test('asks each question of the table, and is content where the answers are the expected ones', async () => {
    const { code, stdout } = await ask('test', tableOf(met));

    expect([code, stdout.toString()]).toEqual([0, 'ok    a <factor>\n1 test, 0 failed\n']);
  });

  test('fails where one is not, and says which', async () => {
    const table = tableOf(met, missed);
    const text = await ask('test', table);
    const junit = await ask('test', table, '--junit');
    const json = await ask('test', table, '--json');

    expect([text.code, junit.code, json.code]).toEqual([1, 1, 1]);
    expect(text.stdout.toString()).toContain(
      `FAIL  engineer shell deploy@web-1: deny (${table}:3)\n      expected deny, got allow\n`,
    );
    expect(junit.stdout.toString()).toContain('tests="2" failures="1"');
    expect(junit.stdout.toString()).toContain('name="a &#60;factor&#62;"');
    expect(JSON.parse(json.stdout.toString())).toMatchObject({ tests: 2, failures: 1 });
  });

  test('has policies of its own where the table names some', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'p.cedar'), '@id("p") permit (principal, action, resource);', { mode: 0o600 });
    writeFileSync(
      join(folder, 't.yaml'),
      'policies: [p.cedar]\nusers: { dora: {} }\ntests: [{ user: dora, action: query, expect: allow, because: p }]\n',
    );

    const { code, stderr } = await sshtrail([
      'policy',
      'test',
      join(folder, 't.yaml'),
      '--data',
      join(folder, 'none'),
    ]);

    expect([code, stderr]).toEqual([0, '']);
  });

  test('refuses a table that is none, with its place', async () => {
    const { code, stderr } = await ask('test', tableOf('{ user: engineer, action: shell, expect: maybe }'));

    expect(code).toBe(1);
    expect(stderr).toMatch(/tests\.yaml:2:\d+: tests\.0\.expect/);
  });
});
