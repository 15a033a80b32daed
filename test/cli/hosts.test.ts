import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { addHost } from '../../cli/add-host.ts';
import { scanServer } from '../../cli/hosts.ts';
import { loadInstallation } from '../../cli/installation.ts';
import { capturingContext, sshtrail } from '../support/command-line.ts';
import { type PreparedGateway, prepareGateway } from '../support/prepared-gateway.ts';
import { run } from '../support/run.ts';

let prepared: PreparedGateway;
let original: string;
const spare = generatePrivateKey('ed25519').publicKey;

beforeAll(async () => {
  prepared = await prepareGateway({
    sshdConfiguration: [],
    targets: `  - name: changed
    host: 127.0.0.1
    port: 1
    labels: { env: prod, team: a }
    logins: [deploy, admin]
    hostKeys: [${JSON.stringify(formatPublicKeyLine(spare))}]
  # the end of the targets`,
  });
  original = readFileSync(prepared.data.configuration, 'utf8');
});

afterAll(async () => {
  await prepared.remove();
});

function hosts(...args: readonly string[]) {
  return sshtrail(['hosts', ...args, '--data', prepared.data.root]);
}

/** In this process: what is refused needs no other. */
const { context } = capturingContext({});

const address = () => `127.0.0.1:${prepared.target.port}`;

describe('sshtrail hosts list', () => {
  test('shows how each target is known and logged in to', async () => {
    const { code, stdout } = await hosts('list');

    const lines = stdout.toString().trimEnd().split('\n');
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/^name +address +labels +logins +login_by +host_keys$/);
    expect(lines[2]).toMatch(
      new RegExp(`^changed +127\\.0\\.0\\.1:1 +env=prod team=a +deploy admin +certificate +pinned SHA256:`),
    );
  });

  test('prints the same as JSON, with the fingerprints of ssh-keygen', async () => {
    const { stdout } = await hosts('list', '--json');

    expect(JSON.parse(stdout.toString())[1]).toEqual({
      name: 'changed',
      host: '127.0.0.1',
      port: 1,
      labels: { env: 'prod', team: 'a' },
      logins: ['deploy', 'admin'],
      hostTrust: 'pinned',
      fingerprints: [spare.fingerprint],
      login: 'certificate',
    });
  });
});

describe('sshtrail hosts authority', () => {
  test('prints the key that signs what the servers let in, and nothing of the private one', async () => {
    const { code, stdout, stderr } = await hosts('authority');

    const { userAuthority } = await loadInstallation(prepared.data);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.toString()).toBe(`${formatPublicKeyLine(userAuthority.publicKey, 'sshtrail')}\n`);
    expect(JSON.parse((await hosts('authority', '--json')).stdout.toString())).toEqual({
      key: stdout.toString().trimEnd(),
      fingerprint: userAuthority.publicKey.fingerprint,
    });
  });
});

describe('sshtrail hosts scan', () => {
  test('prints the keys that ssh-keyscan sees, and the YAML, and changes nothing', async () => {
    const scanned = await run('ssh-keyscan', ['-p', String(prepared.target.port), '127.0.0.1']);
    const expected = /ssh-ed25519 \S+/.exec(scanned.stdout.toString())?.[0] ?? '';

    const { code, stdout, stderr } = await hosts('scan', address());

    const text = stdout.toString();
    expect(code).toBe(0);
    expect(text).toMatch(/^ssh-ed25519 +SHA256:\S{43} +false$/m);
    expect(text).toContain(
      `targets:\n  - name: NAME\n    host: 127.0.0.1\n    port: ${prepared.target.port}\n`,
    );
    expect(text).toContain(`      - ${expected}\n`);
    expect(stderr).toContain('nothing is trusted by this');
    expect(readFileSync(prepared.data.configuration, 'utf8')).toBe(original);
  });

  test('says of a target whether it shows the key on record', async () => {
    const { stdout, stderr } = await hosts('scan', 'web-1', '--json');

    const { keys, certificate } = JSON.parse(stdout.toString());
    expect(keys).toMatchObject([{ type: 'ssh-ed25519', on_record: true }]);
    expect(certificate).toBeNull();
    expect(stderr).toBe('');
  });

  test('warns where a target shows none of the keys on record', async () => {
    writeFileSync(
      prepared.data.configuration,
      original.replace('port: 1\n', `port: ${prepared.target.port}\n`),
    );

    const { stderr } = await hosts('scan', 'changed');
    writeFileSync(prepared.data.configuration, original);

    expect(stderr).toMatch(/^NONE of these is what sshtrail.yaml has for this target/);
  });

  test.each(['changed', '127.0.0.1:1'])('says that %s does not answer', async (server) => {
    const scanning = scanServer(server, { data: prepared.data.root }, context);

    await expect(scanning).rejects.toMatchObject({ name: 'CliError', code: 'unreachable' });
    await expect(scanning).rejects.toThrow('127.0.0.1:1 cannot be asked for its keys');
  });

  test.each(['a b', 'host:0', 'host:65536', '[::1', 'a@b', '-oProxyCommand=x', 'x\u001b[2J'])(
    'refuses %j',
    async (server) => {
      await expect(scanServer(server, { data: prepared.data.root }, context)).rejects.toThrow(
        /^say which server/,
      );
    },
  );
});

describe('sshtrail hosts add', () => {
  test('adds a target with a key that was given, keeps everything else, and is on record', async () => {
    chmodSync(prepared.data.configuration, 0o640);
    const line = formatPublicKeyLine(spare, 'root@web-2');

    const { code, stdout, stderr } = await hosts(
      ...'add web-2 --host 192.0.2.12 --label env=prod --label note=a=b --login deploy --key'.split(' '),
      line,
    );

    const text = readFileSync(prepared.data.configuration, 'utf8');
    expect(stderr).toContain('after its next start');
    expect(code).toBe(0);
    expect(stdout.toString()).toBe(`added web-2 to ${prepared.data.configuration}\n`);
    expect(text).toBe(
      original.replace(
        '  # the end of the targets',
        `  - name: web-2
    host: 192.0.2.12
    labels:
      env: prod
      note: a=b
    logins:
      - deploy
    hostKeys:
      - ${formatPublicKeyLine(spare)}
  # the end of the targets`,
      ),
    );
    expect(statSync(prepared.data.configuration).mode & 0o777).toBe(0o640);
    const [event] = await prepared.eventually(
      "SELECT request FROM events WHERE event_name = 'UpdateConfiguration'",
    );
    const request = event?.['request'];
    const { configKey, newValue } = JSON.parse(typeof request === 'string' ? request : '{}');
    expect(configKey).toBe('targets.web-2');
    expect(JSON.parse(newValue)).toMatchObject({ host: '192.0.2.12', fingerprints: [spare.fingerprint] });
    writeFileSync(prepared.data.configuration, original);
  });

  test('shows what a scan found and writes nothing until somebody has compared it', async () => {
    const scan = ['add', 'web-3', '--host', '127.0.0.1', '--port', String(prepared.target.port), '--scan'];

    const looked = await hosts(...scan);
    const untouched = readFileSync(prepared.data.configuration, 'utf8');
    const added = await hosts(...scan, '--yes', '--json');

    expect(looked.code).toBe(1);
    expect(looked.stdout.toString()).toMatch(/^ssh-ed25519 SHA256:/);
    expect(looked.stderr).toContain('nothing was written: compare a fingerprint');
    expect(untouched).toBe(original);
    expect(JSON.parse(added.stdout.toString())).toMatchObject({ added: 'web-3' });
    const { stdout } = await hosts('scan', 'web-3', '--json');
    expect(JSON.parse(stdout.toString()).keys[0]).toMatchObject({ on_record: true });
    writeFileSync(prepared.data.configuration, original);
  });

  const key = [formatPublicKeyLine(spare)];
  test.each([
    ['a name that is taken', 'web-1', { key }, 'there is a target web-1 already'],
    ['a name that is none', 'Web_2', { key }, 'that is no target'],
    ['a name that would be another setting', 'x\ngateway: {}', { key }, 'that is no target'],
    ['a host that is none', 'web-2', { key, host: 'a b' }, 'is not a host name'],
    ['an account that is none', 'web-2', { key, login: ['a b'] }, 'is not a login'],
    ['no way to know it', 'web-2', {}, 'say by what the server is known'],
    ['two ways to know it', 'web-2', { key, scan: true }, 'one of the three'],
    ['a key that is none', 'web-2', { key: ['ssh-ed25519 AAAA'] }, 'that is no line of a .pub file'],
    ['a label without a value', 'web-2', { key, label: ['env'] }, 'NAME=VALUE'],
  ])('refuses %s and leaves the file alone', async (_name, name, changes, why) => {
    const options = {
      data: prepared.data.root,
      host: 'a',
      port: 22,
      label: [],
      login: [],
      key: [],
      authority: [],
    };

    await expect(addHost(name, { ...options, ...changes }, context)).rejects.toThrow(why);

    expect(readFileSync(prepared.data.configuration, 'utf8')).toBe(original);
  });
});
