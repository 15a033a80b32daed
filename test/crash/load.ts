import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connectClient, connectSocket, type EndpointChannel, linkFromSocket } from '../../ssh/index.ts';
import type { PreparedGateway } from '../support/prepared-gateway.ts';

/** Clients that work until their gateway is gone. */
export type Load = {
  /** Markers of commands whose output a client has seen: what they did was acknowledged. */
  readonly acknowledged: ReadonlySet<string>;
  /** Shells that showed something. */
  readonly shellsSeen: number;
  /** Settles when so many more acknowledgements have come. */
  reaches(acknowledgements: number): Promise<void>;
  /** Settles when every client has noticed that the gateway is gone. */
  over(): Promise<void>;
};

/** Two clients with many channels each, one that logs in anew for each command, and a shell on a terminal. */
export function startLoad(prepared: PreparedGateway, port: number, name: string): Load {
  const acknowledged = new Set<string>();
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  let shellsSeen = 0;
  const acknowledge = (marker: string) => {
    acknowledged.add(marker);
    for (const { count, resolve } of waiting) if (acknowledged.size >= count) resolve();
  };
  const work = Promise.all([
    runChannels(prepared, port, `${name}-a`, acknowledge),
    runChannels(prepared, port, `${name}-b`, acknowledge),
    runLogins(prepared, port, `${name}-c`, acknowledge),
    watchShell(prepared, port, `${name}-d`, () => {
      shellsSeen += 1;
    }),
  ]);
  return {
    acknowledged,
    get shellsSeen() {
      return shellsSeen;
    },
    reaches: (count) =>
      acknowledged.size >= count
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push({ count, resolve })),
    over: () => work.then(() => undefined),
  };
}

async function runChannels(
  prepared: PreparedGateway,
  port: number,
  name: string,
  acknowledge: (marker: string) => void,
): Promise<void> {
  try {
    const socket = await connectSocket({ host: '127.0.0.1', port, timeoutMs: 10_000 });
    const { endpoint } = await connectClient({
      link: linkFromSocket(socket),
      user: `${prepared.login}@web-1`,
      credentials: [{ method: 'publickey', privateKey: prepared.engineerKey }],
      verifyHostKey: () => ({ accepted: true }),
    });
    for (let count = 0; ; count += 1) {
      const marker = `${name}-${count}`;
      const channel = await endpoint.openSession();
      const output = readAll(channel);
      await channel.request('exec', { kind: 'exec', command: Buffer.from(`echo ${marker}`) }, true);
      if ((await output).includes(`${marker}\n`)) acknowledge(marker);
      channel.end();
    }
  } catch {
    // The gateway is gone, which is the point.
  }
}

async function readAll(channel: EndpointChannel): Promise<string> {
  let text = '';
  channel.on('error', () => undefined);
  channel.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  channel.stderr.resume();
  await channel.over;
  return text;
}

async function runLogins(
  prepared: PreparedGateway,
  port: number,
  name: string,
  acknowledge: (marker: string) => void,
): Promise<void> {
  for (let count = 0; ; count += 1) {
    const marker = `${name}-${count}`;
    const { output, code } = await ended(ssh(prepared, port, [], [`echo ${marker}`]));
    if (output.includes(`${marker}\n`)) acknowledge(marker);
    if (code !== 0) return;
  }
}

/** A shell that never stops to show something. */
async function watchShell(
  prepared: PreparedGateway,
  port: number,
  name: string,
  seen: () => void,
): Promise<void> {
  const child = ssh(prepared, port, ['-tt'], []);
  child.stdout?.once('data', seen);
  child.stdin?.write(`while :; do echo ${name}; sleep 0.02; done\n`);
  await ended(child);
}

function ssh(
  prepared: PreparedGateway,
  port: number,
  flags: readonly string[],
  command: readonly string[],
): ChildProcess {
  const child = spawn(
    'ssh',
    [...prepared.sshOptions(port), '-q', ...flags, prepared.destination(), ...command],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  child.stdin?.on('error', () => undefined);
  return child;
}

async function ended(
  child: ChildProcess,
): Promise<{ readonly output: string; readonly code: number | null }> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, 'close');
  return { output, code: child.exitCode };
}
