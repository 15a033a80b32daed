import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { sshtrailProgram } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('a gateway that runs out of files goes on, and serves again when some are free', async () => {
  const { program, first, env } = sshtrailProgram;
  const up = [program, ...first, 'up', '--data', temporaryFolder(), '--ssh-port', '0', '--no-playground'];
  const child = spawn('sh', ['-c', 'ulimit -n 100; exec "$@"', 'sh', ...up], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  const closed = new Promise((resolve) => child.once('close', resolve));
  try {
    await expect.poll(() => output.join(''), { timeout: 20_000 }).toMatch(/ready on 127\.0\.0\.1:\d+/);
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(output.join(''))?.[1]);

    const flood = Array.from({ length: 150 }, () => quietSocket(port));
    await sleep(1000);
    for (const socket of flood) socket.destroy();

    await expect
      .poll(() => identificationOf(port), { timeout: 20_000, interval: 250 })
      .toMatch(/^SSH-2\.0-sshtrail/);
    expect(child.exitCode, output.join('')).toBeNull();
  } finally {
    child.kill('SIGTERM');
    await closed;
  }
});

function quietSocket(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  return socket;
}

async function identificationOf(port: number): Promise<string> {
  const socket = quietSocket(port);
  try {
    for await (const chunk of socket) return String(chunk);
    return '';
  } catch {
    return '';
  } finally {
    socket.destroy();
  }
}
