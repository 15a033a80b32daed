import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { formatKnownHostsLine, formatPrivateKey, generatePrivateKey, parsePrivateKey } from '#ssh';
import { type RunningGateway, runGateway } from '../../cli/gateway-run.ts';
import { loadInstallation } from '../../cli/installation.ts';
import { type PreparedGateway, prepareGateway } from '../support/prepared-gateway.ts';
import { run } from '../support/run.ts';

const next = generatePrivateKey('ed25519');
const rsa = generatePrivateKey('rsa-3072');
let prepared: PreparedGateway;
let knownHosts: string;

beforeAll(async () => {
  prepared = await prepareGateway();
  const { data, folder } = prepared;
  writeFileSync(join(data.keys, 'next'), formatPrivateKey(next, 'next'), { mode: 0o600 });
  writeFileSync(join(data.keys, 'rsa'), formatPrivateKey(rsa, 'rsa'), { mode: 0o600 });
  knownHosts = join(folder, 'learning_hosts');
  const { publicKey } = parsePrivateKey(readFileSync(data.hostKey, 'utf8'));
  writeFileSync(knownHosts, `${formatKnownHostsLine({ patterns: ['gateway'], publicKey })}\n`);
});

afterAll(() => prepared?.remove());

async function gatewayWith(files: string): Promise<RunningGateway> {
  const { data } = prepared;
  const text = readFileSync(data.configuration, 'utf8');
  writeFileSync(
    data.configuration,
    text.replace(/hostKeys: \{ files: .*/, `hostKeys: { files: [${files}] }`),
  );
  return runGateway({
    data,
    installation: await loadInstallation(data),
    extraTargets: [],
    listen: { host: '127.0.0.1', port: 0 },
    now: Date.now,
    report: () => undefined,
  });
}

function ssh(running: RunningGateway, command: string) {
  const options = prepared
    .sshOptions(running.gateway.address.port)
    .map((option) =>
      option.startsWith('UserKnownHostsFile=') ? `UserKnownHostsFile=${knownHosts}` : option,
    );
  return run('ssh', [...options, '-o', 'UpdateHostKeys=yes', prepared.destination(), command]);
}

test('a stock client learns the host keys it does not know, so that the old one can go', async () => {
  const both = await gatewayWith('keys/host-ed25519, keys/next, keys/rsa');
  const before = await ssh(both, 'sleep 0.3; echo in');
  await both.close('the old key goes');
  const known = readFileSync(knownHosts, 'utf8');
  const rotated = await gatewayWith('keys/next');
  onTestFinished(() => rotated.close('the test has ended'));

  const after = await ssh(rotated, 'echo in again');

  expect(before.stdout.toString(), before.stderr).toBe('in\n');
  expect(known).toContain(next.publicKey.blob.toString('base64'));
  expect(known).toContain(rsa.publicKey.blob.toString('base64'));
  expect(after.stdout.toString(), after.stderr).toBe('in again\n');
});
