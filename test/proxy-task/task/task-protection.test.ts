import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createTaskProtection } from '../../../proxy-task/task/task-protection.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** The agent's endpoint in a task, with what it was asked. */
async function agent(answer: () => number = () => 200) {
  const asked: { path: string | undefined; body: unknown }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push({ path: request.url, body: JSON.parse(Buffer.concat(chunks).toString()) });
      response.writeHead(answer());
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const { port } = server.address() as AddressInfo;
  return { uri: `http://127.0.0.1:${port}`, asked };
}

function protectionOf(agentUri: string | undefined) {
  const clock = { nowMs: 1_000_000 };
  const reports: string[] = [];
  const protection = createTaskProtection({
    agentUri,
    fetch,
    now: () => clock.nowMs,
    report: (line) => reports.push(line),
  });
  return { protection, clock, reports };
}

describe('createTaskProtection', () => {
  it('protects in short slices, with the names the agent knows', async () => {
    const { uri, asked } = await agent();
    const { protection } = protectionOf(uri);

    await protection.update(true);

    expect(asked).toEqual([
      { path: '/task-protection/v1/state', body: { ProtectionEnabled: true, ExpiresInMinutes: 15 } },
    ]);
  });

  it('renews before a slice is over, and asks for nothing in between', async () => {
    const { uri, asked } = await agent();
    const { protection, clock } = protectionOf(uri);

    await protection.update(true);
    clock.nowMs += 60_000;
    await protection.update(true);
    expect(asked).toHaveLength(1);
    clock.nowMs += 5 * 60_000;
    await protection.update(true);

    expect(asked).toHaveLength(2);
  });

  it('gives the protection up at once when the last session has ended, and only once', async () => {
    const { uri, asked } = await agent();
    const { protection } = protectionOf(uri);

    await protection.update(false);
    await protection.update(true);
    await protection.update(false);
    await protection.update(false);

    expect(asked.map(({ body }) => body)).toEqual([
      { ProtectionEnabled: true, ExpiresInMinutes: 15 },
      { ProtectionEnabled: false },
    ]);
  });

  it('says what the role lacks when it is refused, and tries again later', async () => {
    let status = 400;
    const { uri, asked } = await agent(() => status);
    const { protection, clock, reports } = protectionOf(uri);

    await protection.update(true);
    await protection.update(true);
    expect(asked).toHaveLength(1);
    expect(reports[0]).toContain('ecs:UpdateTaskProtection');
    status = 200;
    clock.nowMs += 31_000;
    await protection.update(true);

    expect(asked).toHaveLength(2);
  });

  it('does nothing where there is no agent', async () => {
    const { protection, reports } = protectionOf(undefined);

    await protection.update(true);

    expect(reports).toEqual([]);
  });
});
