import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readIdentities } from '../../../ssh/agent/agent-message.ts';
import { AgentError, agentAt } from '../../../ssh/agent/index.ts';
import { mintCertificate, parseCertificate } from '../../../ssh/certificate/index.ts';
import { generatePrivateKey, KeyError, privateKeyAsRemoteSigner } from '../../../ssh/keys/index.ts';
import { run } from '../../support/run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function certified(type: 'ed25519' | 'ecdsa-p256' = 'ed25519') {
  const privateKey = generatePrivateKey(type);
  const certificate = await mintCertificate(
    {
      kind: 'user',
      publicKey: privateKey.publicKey,
      keyId: 'test',
      serial: 1n,
      principals: ['alice'],
      validAfter: 0n,
      validBefore: 2n ** 64n - 1n,
      nonce: randomBytes(32),
    },
    privateKeyAsRemoteSigner(generatePrivateKey('ed25519')),
  );
  return { privateKey, certificate, comment: 'sshtrail alice', lifetimeSeconds: 600 };
}

/** OpenSSH's own agent, which goes with the test. */
async function openSshAgent(): Promise<string> {
  const socket = join(temporaryFolder(), 'agent');
  const started = await run('ssh-agent', ['-a', socket]);
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(started.stdout.toString())?.[1]);
  expect(pid).toBeGreaterThan(1);
  onTestFinished(() => void process.kill(pid));
  return socket;
}

/** Answers whatever comes with these bytes. */
async function agentThatSays(bytes: Uint8Array): Promise<string> {
  const path = join(temporaryFolder(), 'agent');
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.end(bytes));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => void server.close());
  return path;
}

describe('OpenSSH’s agent', () => {
  test('takes a certified key for a while, shows it, and gives it up', async () => {
    const socket = await openSshAgent();
    const agent = agentAt(socket);
    const key = await certified();

    await agent.add(key);
    const listed = await agent.list();
    const shown = await run('ssh-add', ['-L'], { env: { SSH_AUTH_SOCK: socket } });
    await agent.remove(key.certificate);

    expect(listed).toEqual([{ blob: key.certificate, comment: key.comment }]);
    expect(shown.stdout.toString()).toBe(
      `${parseCertificate(key.certificate).type} ${key.certificate.toString('base64')} ${key.comment}\n`,
    );
    expect(await agent.list()).toEqual([]);
  });

  test('refuses what it does not have', async () => {
    const agent = agentAt(await openSshAgent());
    const { certificate } = await certified();

    await expect(agent.remove(certificate)).rejects.toMatchObject({ code: 'refused' });
  });
});

test('a key of another type, or a comment of two lines, is not sent at all', async () => {
  const agent = agentAt(join(temporaryFolder(), 'none'));

  await expect(agent.add(await certified('ecdsa-p256'))).rejects.toThrow(KeyError);
  await expect(agent.add({ ...(await certified()), comment: 'two\nlines' })).rejects.toMatchObject({
    code: 'protocol',
  });
});

describe('what is no agent', () => {
  test('that nobody listens at is unreachable', async () => {
    const agent = agentAt(join(temporaryFolder(), 'none'));

    await expect(agent.list()).rejects.toMatchObject({ code: 'unreachable' });
  });

  test.each([
    ['hangs up', Buffer.alloc(0), 'unreachable'],
    ['hangs up in the middle', Buffer.of(0, 0, 0, 9, 12), 'unreachable'],
    ['says that more comes than can', Buffer.of(0xff, 0xff, 0xff, 0xff), 'protocol'],
    ['says nothing', Buffer.of(0, 0, 0, 0), 'protocol'],
    ['says yes to a question', Buffer.of(0, 0, 0, 1, 6), 'protocol'],
    ['says no', Buffer.of(0, 0, 0, 1, 5), 'refused'],
    ['lists more than it has', Buffer.of(0, 0, 0, 5, 12, 0, 0, 0, 7), 'protocol'],
    ['lists without end', Buffer.of(0, 0, 0, 5, 12, 0xff, 0xff, 0xff, 0xff), 'protocol'],
    ['has more behind its list', Buffer.of(0, 0, 0, 6, 12, 0, 0, 0, 0, 1), 'protocol'],
    ['speaks SSH', Buffer.from('SSH-2.0-x\r\n'), 'protocol'],
  ])('and %s is told apart', async (_what, bytes, code) => {
    const agent = agentAt(await agentThatSays(bytes));

    await expect(agent.list()).rejects.toMatchObject({ name: 'AgentError', code });
  });

  test('is answered by an error of the family, whatever it says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.boolean(), (bytes, asList) => {
        const answer = Buffer.from(bytes);
        if (asList) answer.writeUInt8(12);
        try {
          expect(readIdentities(answer).length).toBeLessThanOrEqual(answer.length / 8);
        } catch (error) {
          expect(error).toBeInstanceOf(AgentError);
        }
      }),
    );
  });
});
