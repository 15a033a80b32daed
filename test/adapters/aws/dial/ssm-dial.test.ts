import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { SSMClient } from '@aws-sdk/client-ssm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openSsmDial } from '../../../../adapters/aws/dial/index.ts';
import { connectClient } from '../../../../ssh/endpoint/index.ts';
import { generatePrivateKey } from '../../../../ssh/keys/index.ts';
import { linkFromDuplex } from '../../../../ssh/transport/index.ts';
import { jsonAnswer, jsonError, startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import { fakeSsmSessions } from '../../../fakes/aws/ssm-sessions.ts';
import {
  authenticationOptions,
  scriptedAuthenticator,
} from '../../../ssh/authentication/scripted-authenticator.ts';
import { patterned, readAll } from '../../../ssh/endpoint/endpoint-pair.ts';
import { clientOptions } from '../../../support/aws-endpoints.ts';
import { startCommandServer } from '../../../support/command-server.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { fakePlugin } from './fake-plugin.ts';

const instanceId = 'i-0123456789abcdef0';

/** Session Manager, a plugin that does `act`, and a way to dial by them. */
async function opened(act?: string) {
  const ssm = fakeSsmSessions({ isConnected: (id) => id === instanceId });
  const aws = await startFakeAws({ services: [ssm] });
  onTestFinished(() => aws.close());
  const client = new SSMClient(clientOptions(aws.endpoint));
  onTestFinished(() => client.destroy());
  const folder = temporaryFolder();
  const plugin = fakePlugin(folder, act);
  const stop = new AbortController();
  const dial = async (changes: Partial<Parameters<typeof openSsmDial>[0]> = {}) => {
    const stream = await openSsmDial({
      client,
      plugin: plugin.path,
      instanceId,
      port: 22,
      region: 'eu-central-1',
      signal: stop.signal,
      timeoutMs: 2_000,
      ...changes,
    });
    onTestFinished(() => void stream.destroy());
    return stream;
  };
  const terminated = () =>
    vi.waitFor(() => expect(ssm.sessions.map(({ state }) => state)).toEqual(['terminated']), {
      timeout: 10_000,
      interval: 10,
    });
  const gone = () =>
    vi.waitFor(() => expect(isAlive(plugin.started().pid)).toBe(false), { timeout: 10_000, interval: 10 });
  return { ssm, aws, client, folder, plugin, stop, dial, terminated, gone };
}

async function echoPort(): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the listener has no port');
  return address.port;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The error that the stream breaks with. */
function breaking(stream: Awaited<ReturnType<typeof openSsmDial>>): Promise<unknown> {
  stream.resume();
  return finished(stream).then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('openSsmDial', () => {
  it('carries bytes both ways to the port, and ends the session when the other side ends', async () => {
    const { dial, ssm, terminated, gone } = await opened();
    const port = await echoPort();
    const sent = patterned(3 * 1024 * 1024, 5);

    const stream = await dial({ port });
    stream.end(sent);
    const received = await readAll(stream);

    expect(received.equals(sent)).toBe(true);
    expect(ssm.sessions).toMatchObject([{ target: instanceId, port }]);
    await terminated();
    await gone();
  });

  it('starts the plugin as the AWS command line does, with the session on no command line', async () => {
    const { dial, plugin, aws, ssm } = await opened();

    const stream = await dial({ port: await echoPort() });
    stream.write('x');
    await new Promise((resolve) => stream.once('data', resolve));

    const [session] = ssm.sessions;
    const { argv, session: handed, variables } = plugin.started();
    expect(argv).toEqual([
      'AWS_SSM_START_SESSION_RESPONSE',
      'eu-central-1',
      'StartSession',
      '',
      JSON.stringify({
        Target: instanceId,
        DocumentName: 'AWS-StartSSHSession',
        Parameters: { portNumber: [String(session?.port)] },
      }),
      aws.endpoint,
    ]);
    expect(handed).toEqual({
      SessionId: session?.id,
      TokenValue: session?.token,
      StreamUrl: expect.stringContaining('wss://'),
    });
    expect(argv.join(' ')).not.toContain(session?.token);
    expect(variables).toContain('PATH');
  });

  it.each([
    ['eu-central-1', 'https://ssm.eu-central-1.amazonaws.com'],
    ['cn-north-1', 'https://ssm.cn-north-1.amazonaws.com.cn'],
  ])('gives the plugin the service of the region %s', async (region, endpoint) => {
    const { plugin, stop } = await opened('setInterval(() => {}, 1000);');
    const { credentials } = clientOptions('');
    const client = new SSMClient({
      region,
      credentials,
      requestHandler: {
        handle: () => Promise.reject(new Error('nothing may be asked')),
        destroy: () => undefined,
      },
    });
    client.middlewareStack.add(
      () => async () =>
        ({ output: { SessionId: 's', TokenValue: 't', StreamUrl: 'u' }, response: {} }) as never,
      { step: 'initialize' },
    );

    const stream = await openSsmDial({
      client,
      plugin: plugin.path,
      instanceId,
      port: 22,
      region,
      signal: stop.signal,
      timeoutMs: 2_000,
    });
    await vi.waitFor(() => plugin.started(), { timeout: 10_000 });
    stream.destroy();

    expect(plugin.started().argv[5]).toBe(endpoint);
  });

  it('carries an SSH connection with commands', async () => {
    const alice = generatePrivateKey('ed25519');
    const server = await startCommandServer(
      authenticationOptions(
        scriptedAuthenticator({
          accepts: (key) => key.publicKey.fingerprint === alice.publicKey.fingerprint,
        }),
      ),
    );
    onTestFinished(() => server.close());
    const { dial, terminated, gone } = await opened();

    const { transport, endpoint } = await connectClient({
      link: linkFromDuplex(await dial({ port: server.port })),
      user: 'alice',
      credentials: [{ method: 'publickey', privateKey: alice }],
      verifyHostKey: () => ({ accepted: true }),
    });
    const session = await endpoint.openSession();
    await session.request('exec', { kind: 'exec', command: Buffer.from('cat; echo done') }, true);
    session.end('hello ');
    const output = await readAll(session);
    transport.cut(11, 'bye');

    expect(output.toString()).toBe('hello done\n');
    expect(server.logins).toEqual(['alice']);
    await terminated();
    await gone();
  });

  it('holds back whoever writes faster than the plugin reads', async () => {
    const { dial, plugin } = await opened('setInterval(() => {}, 1000);');
    const stream = await dial();
    await vi.waitFor(() => plugin.started(), { timeout: 10_000 });
    const chunk = Buffer.alloc(64 * 1024);

    let taken = 0;
    for (let count = 0; count < 200; count += 1) if (stream.write(chunk)) taken += 1;

    expect(taken).toBeLessThan(5);
    expect(stream.writableLength).toBeGreaterThan(100 * chunk.length);
  });

  it('holds back the plugin where nobody reads', async () => {
    const { dial, folder } = await opened(`
      let written = 0;
      const more = () => {
        while (process.stdout.write(Buffer.alloc(65536))) written += 65536;
        writeFileSync(__dirname + '/written', String(written));
        process.stdout.once('drain', more);
      };
      more();
    `);
    const stream = await dial();
    const written = () => Number(readFileSync(join(folder, 'written'), 'utf8'));
    await vi.waitFor(() => expect(stream.readableLength).toBeGreaterThan(0), { timeout: 10_000 });

    stream.pause();
    let before = -1;
    await vi.waitFor(
      () => {
        const now = written();
        const still = now === before;
        before = now;
        expect(still).toBe(true);
      },
      { timeout: 10_000, interval: 200 },
    );

    expect(stream.readableLength).toBeLessThan(1024 * 1024);
    expect(written()).toBeLessThan(4 * 1024 * 1024);
  });

  it('ends plugin and session when it is aborted', async () => {
    const { dial, stop, plugin, terminated, gone } = await opened();
    const stream = await dial({ port: await echoPort() });
    stream.write('x');
    await new Promise((resolve) => stream.once('data', resolve));

    stop.abort();

    await terminated();
    await gone();
    expect(stream.destroyed).toBe(true);
    expect(isAlive(plugin.started().pid)).toBe(false);
  });

  it('ends a plugin that does not listen to the polite signal', async () => {
    const { dial, plugin, terminated, gone } = await opened(`
      process.on('SIGTERM', () => {});
      process.stdout.write('ready');
      setInterval(() => {}, 1000);
    `);
    const stream = await dial();
    await new Promise((resolve) => stream.once('data', resolve));

    stream.destroy();

    await gone();
    await terminated();
    expect(plugin.started().session.SessionId).toMatch(/^gateway-/);
  });

  it('starts no plugin where it was aborted before', async () => {
    const { dial, stop, ssm, plugin } = await opened();
    stop.abort();

    const dialling = dial();

    await expect(dialling).rejects.toMatchObject({ name: 'DialError', code: 'no-session' });
    await expect(dialling).rejects.toThrow(/it was called off/);
    expect(ssm.sessions).toEqual([]);
    expect(() => plugin.started()).toThrow(/ENOENT/);
  });

  it('is called off while the session is being started, at once', async () => {
    const { dial, stop, aws, plugin } = await opened();
    aws.inject(() => {
      stop.abort();
      return { kind: 'delay', ms: 300 };
    });

    const dialling = dial({ timeoutMs: 60_000 });

    await expect(dialling).rejects.toMatchObject({ code: 'no-session' });
    expect(aws.calls).toEqual(['ssm:StartSession']);
    expect(() => plugin.started()).toThrow(/ENOENT/);
  });

  it('tells with what words the plugin ended', async () => {
    const { dial, terminated } = await opened(`
      process.stderr.write('Cannot perform start session:\\n\\u001b[31mno \\u202eroute\\n');
      process.exitCode = 3;
    `);

    const error = await breaking(await dial());

    expect(error).toMatchObject({ name: 'DialError', code: 'broken' });
    expect(String(error)).toBe(
      'DialError: the session manager plugin ended with 3: Cannot perform start session: \\u{1b}[31mno \\u{202e}route',
    );
    await terminated();
  });

  it('says so where the plugin ended without a word, or by a signal', async () => {
    const silent = await breaking(await (await opened('process.exit(255);')).dial());
    const killed = await breaking(await (await opened("process.kill(process.pid, 'SIGKILL');")).dial());

    expect(String(silent)).toMatch(/ended with 255: it said nothing/);
    expect(String(killed)).toMatch(/ended with SIGKILL: it said nothing/);
  });

  it.each([
    ['says its token', "process.stderr.write('handshake with ' + session.TokenValue + ' failed');"],
    ['says nothing but its token', 'process.stderr.write(session.TokenValue.repeat(1000));'],
    ['says all it knows', 'process.stderr.write(JSON.stringify(process.env) + JSON.stringify(session));'],
  ])('repeats no token to anybody where the plugin %s', async (_name, act) => {
    const { dial, ssm } = await opened(`${act} process.exitCode = 1;`);

    const error = await breaking(await dial());

    const token = ssm.sessions[0]?.token ?? '';
    expect(error).toMatchObject({ code: 'broken' });
    for (let from = 0; from + 16 <= token.length; from += 8)
      expect(String(error)).not.toContain(token.slice(from, from + 16));
    expect(String(error).length).toBeLessThan(500);
  });

  it('keeps of a talkative plugin no more than the beginning', async () => {
    const { dial } = await opened("process.stderr.write('first ' + 'x'.repeat(5e6)); process.exitCode = 1;");

    const error = await breaking(await dial());

    expect(String(error)).toMatch(/ended with 1: first x+$/);
    expect(String(error).length).toBeLessThan(500);
  });

  it('gives what the plugin wrote before it ended', async () => {
    const { dial } = await opened("process.stdout.write('z'.repeat(1e6)); process.exitCode = 0;");

    const received = await readAll(await dial());

    expect(received.length).toBe(1e6);
  });

  it('gives garbage to SSH, which refuses it', async () => {
    const { dial, terminated } = await opened(
      "process.stdout.write(require('node:crypto').randomBytes(100000)); setInterval(() => {}, 1000);",
    );

    const connecting = connectClient({
      link: linkFromDuplex(await dial()),
      user: 'alice',
      credentials: [{ method: 'publickey', privateKey: generatePrivateKey('ed25519') }],
      verifyHostKey: () => ({ accepted: true }),
    });

    await expect(connecting).rejects.toMatchObject({ name: expect.stringMatching(/Error$/) });
    await terminated();
  });

  it('says what to install where there is no plugin, and ends the session', async () => {
    const { dial, folder, ssm } = await opened();

    const dialling = dial({ plugin: join(folder, 'no-such-plugin') });

    await expect(dialling).rejects.toMatchObject({ name: 'DialError', code: 'no-plugin' });
    await expect(dialling).rejects.toThrow(
      /no-such-plugin is not here, .* build the image with sessionManagerPlugin/,
    );
    expect(ssm.sessions).toMatchObject([{ state: 'terminated' }]);
  });

  it('says that the plugin is no program', async () => {
    const { dial, folder, ssm } = await opened();
    writeFileSync(join(folder, 'plain'), 'no program', { mode: 0o600 });

    const dialling = dial({ plugin: join(folder, 'plain') });

    await expect(dialling).rejects.toMatchObject({ code: 'no-plugin' });
    await expect(dialling).rejects.toThrow(/could not be started \(EACCES\)/);
    expect(ssm.sessions).toMatchObject([{ state: 'terminated' }]);
  });

  it.each([
    ['whose agent is not connected', 'TargetNotConnected', 400, /its SSM agent is not connected/],
    ['it may not reach', 'AccessDeniedException', 400, /the role here lacks ssm:StartSession/],
    ['behind a service that is away', 'InternalServerError', 500, /did not answer in time/],
  ])('says why there is no session to an instance %s', async (_name, code, status, why) => {
    const { dial, aws, plugin } = await opened();
    aws.inject(() => ({ kind: 'answer', ...jsonError(status, code, 'no') }));

    const dialling = dial({ timeoutMs: 200 });

    await expect(dialling).rejects.toMatchObject({ name: 'DialError', code: 'no-session' });
    await expect(dialling).rejects.toThrow(why);
    expect(() => plugin.started()).toThrow(/ENOENT/);
  });

  it('starts no plugin with half a session', async () => {
    const { dial, aws, plugin } = await opened();
    aws.inject(({ operation }) =>
      operation === 'StartSession' ? { kind: 'answer', ...jsonAnswer({ SessionId: 's-1' }) } : undefined,
    );

    await expect(dial()).rejects.toThrow(/a session without a token/);
    expect(aws.calls).toEqual(['ssm:StartSession', 'ssm:TerminateSession']);
    expect(() => plugin.started()).toThrow(/ENOENT/);
  });

  it('is not disturbed where the session cannot be ended', async () => {
    const { dial, aws, gone } = await opened();
    aws.inject(({ operation }) =>
      operation === 'TerminateSession'
        ? { kind: 'answer', ...jsonError(500, 'InternalServerError', 'later') }
        : undefined,
    );
    const stream = await dial({ port: await echoPort() });

    stream.end('x');
    const received = await readAll(stream);

    expect(received.toString()).toBe('x');
    await gone();
  });
});
