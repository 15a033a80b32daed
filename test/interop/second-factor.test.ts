import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { totpCode } from '#core/totp';
import { formatPrivateKey, formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { sshtrail } from '../support/command-line.ts';
import { pythonTool } from '../support/python-tool.ts';
import { type Finished, run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';

const folder = mkdtempSync(join(tmpdir(), 'sshtrail-factor-'));
const askpass = join(folder, 'askpass');
const asked = join(folder, 'asked');
const names = ['ann', 'bea', 'cleo', 'dan'] as const;
type Name = (typeof names)[number];
const keyFile = (name: Name) => join(folder, `id_${name}`);
let stack: Stack;
const enrolled = new Map<Name, { readonly secret: string; readonly recoveryCodes: readonly string[] }>();

beforeAll(async () => {
  writeFileSync(askpass, `#!/bin/sh\necho "$1" >> ${asked}\nprintf "%s\\n" "$CODE"\n`);
  chmodSync(askpass, 0o700);
  const identities = names.map((name) => {
    const key = generatePrivateKey('ed25519');
    writeFileSync(keyFile(name), formatPrivateKey(key, name), { mode: 0o600 });
    return `  - name: ${name}\n    groups: [engineers]\n    keys: [${JSON.stringify(formatPublicKeyLine(key.publicKey))}]`;
  });
  stack = await startStack({
    policy: '@id("mfa") permit (principal in Group::"engineers", action, resource) when { context.mfa };',
    identities: identities.join('\n'),
    configuration: 'engineerAuthority: { keyFile: keys/engineer-ca.pem }',
    extraTargets: ({ target }) => ['web-2', 'web-3'].map((name) => ({ ...target, name })),
  });
  for (const name of names) {
    const { stdout, stderr } = await sshtrail([
      'totp',
      'enroll',
      name,
      '--no-confirm',
      '--json',
      '--data',
      stack.data.root,
    ]);
    expect(stderr).toBe('');
    enrolled.set(name, JSON.parse(stdout.toString()));
  }
});

afterAll(async () => {
  await stack?.close();
  rmSync(folder, { recursive: true, force: true });
});

const codeOf = (name: Name, steps = 0) =>
  totpCode(enrolled.get(name)?.secret ?? '', Date.now() + steps * 30_000);

/** The stock client with a key of its own; what it is asked, a program answers with the code. */
function login(name: Name, code: string): Promise<Finished> {
  const options = stack.sshOptions.map((option) =>
    option.startsWith('IdentityFile=')
      ? `IdentityFile=${keyFile(name)}`
      : option.startsWith('BatchMode=')
        ? 'BatchMode=no'
        : option,
  );
  return run('ssh', [...options, '-o', 'NumberOfPasswordPrompts=1', stack.destination(), 'echo in'], {
    env: { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', CODE: code },
  });
}

function promptsSoFar(): number {
  return existsSync(asked) ? readFileSync(asked, 'utf8').trim().split('\n').length : 0;
}

describe('the stock client with key and code', () => {
  test('is asked once, and then not again while the grace lasts', async () => {
    const before = promptsSoFar();

    const first = await login('ann', codeOf('ann'));
    const second = await login('ann', 'not a code');

    expect([first.code, second.code], first.stderr + second.stderr).toEqual([0, 0]);
    expect(promptsSoFar() - before).toBe(1);
    const sessions = await stack.eventually(
      `SELECT mfa_method, json_extract_string(additional, '$.mfaAt') AS mfa_at
       FROM events WHERE event_name = 'StartSession' AND user_name = 'ann' ORDER BY event_time`,
    );
    expect(sessions).toHaveLength(2);
    expect(new Set(sessions.map((row) => row['mfa_method']))).toEqual(new Set(['totp']));
    expect(new Set(sessions.map((row) => row['mfa_at'])).size).toBe(1);
  });

  test('is refused with a wrong code and one that was used, and locked out after five wrong ones', async () => {
    const wrong = codeOf('bea') === '000000' ? '000001' : '000000';
    for (let attempt = 0; attempt < 5; attempt += 1) expect((await login('bea', wrong)).code).toBe(255);

    expect((await login('bea', codeOf('bea'))).code).toBe(255);

    const reasons = await stack.eventually(
      "SELECT DISTINCT deny_reason FROM events WHERE event_name = 'ChallengeMfa' AND user_name = 'bea' AND error_code = 'MfaFailed' ORDER BY 1",
    );
    expect(reasons.map((row) => row['deny_reason'])).toEqual(['locked', 'wrong']);
  });

  test('takes a recovery code once, and the event says how many are left', async () => {
    const [code = ''] = enrolled.get('cleo')?.recoveryCodes ?? [];

    expect((await login('cleo', code)).code).toBe(0);
    const used = await stack.eventually(
      "SELECT json_extract_string(response, '$.recoveryCodesLeft') AS n FROM events WHERE event_name = 'ChallengeMfa' AND user_name = 'cleo' AND error_code IS NULL AND response LIKE '%recoveryCodesLeft%'",
    );
    expect(used).toEqual([{ n: '9' }]);
    await sshtrail(['totp', 'remove', 'cleo', '--data', stack.data.root]);

    expect((await login('cleo', code)).code).toBe(255);
  });
});

test('Ansible, whose ssh answers no question, works once its engineer was asked', async () => {
  const config = stack.writeJumpConfiguration(stack.running.gateway.address.port);
  writeFileSync(config, readFileSync(config, 'utf8').replaceAll(stack.engineerFile, keyFile('dan')));
  const inventory = join(folder, 'inventory.ini');
  const hosts = ['web-1', 'web-2', 'web-3'].map(
    (name) => `${name} ansible_host=gateway ansible_user=${stack.login}@${name}`,
  );
  writeFileSync(
    inventory,
    `${hosts.join('\n')}\n[all:vars]\nansible_ssh_common_args=-F ${config} -o ControlMaster=no\nansible_python_interpreter=/usr/bin/python3\n`,
  );
  const ansible = () =>
    run(pythonTool('ansible'), ['all', '-i', inventory, '-m', 'ping', '-f', '3'], {
      env: {
        ANSIBLE_HOME: folder,
        ANSIBLE_SSH_CONTROL_PATH_DIR: join(folder, 'cp'),
        ANSIBLE_HOST_KEY_CHECKING: 'True',
        ANSIBLE_NOCOLOR: '1',
      },
      timeoutMs: 60_000,
    });

  const before = await ansible();
  const first = await login('dan', codeOf('dan'));
  const after = await ansible();

  expect(before.code).not.toBe(0);
  expect(first.code, first.stderr).toBe(0);
  expect(after.stdout.toString().match(/"ping": "pong"/g), after.stdout.toString()).toHaveLength(3);
  const challenges = await stack.query(
    "SELECT 1 FROM events WHERE event_name = 'ChallengeMfa' AND user_name = 'dan'",
  );
  expect(challenges).toHaveLength(1);
}, 120_000);
