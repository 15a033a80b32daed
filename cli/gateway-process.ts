import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import type { DataDirectory } from './data-directory.ts';
import { systemErrorCode } from './system-error.ts';

/** The gateway that runs on a data directory, as it says of itself. */
const schema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  port: z.number().int(),
  startedAtMs: z.number(),
});
export type GatewayProcess = z.infer<typeof schema>;

/** Undefined when none runs, also where one was killed and left its note behind. */
export function gatewayProcess(data: DataDirectory): GatewayProcess | undefined {
  let text: string;
  try {
    text = readFileSync(noteFile(data), 'utf8');
  } catch {
    return undefined;
  }
  const parsed = schema.safeParse(parseJson(text));
  return parsed.success && isAlive(parsed.data.pid) ? parsed.data : undefined;
}

/** The same, where it also answers as one of ours: a process number may have gone to another program since. */
export async function answeringGateway(data: DataDirectory): Promise<GatewayProcess | undefined> {
  const noted = gatewayProcess(data);
  if (noted === undefined) return undefined;
  try {
    return (await identification(noted.host, noted.port)).startsWith('SSH-2.0-sshtrail') ? noted : undefined;
  } catch {
    // Nobody listens there: the journal's lock has the last word on whether the directory is in use.
    return undefined;
  }
}

/** What the server at an address calls itself (RFC 4253 §4.2). */
export async function identification(host: string, port: number): Promise<string> {
  const socket = createConnection({ host, port });
  socket.setTimeout(3000, () => socket.destroy(new Error(`no answer from ${host}:${port} within 3 s`)));
  try {
    for await (const chunk of socket) {
      const line = String(chunk).split('\r\n')[0] ?? '';
      if (line.startsWith('SSH-2.0-')) return line;
      throw new Error(`${host}:${port} does not speak SSH`);
    }
  } finally {
    socket.destroy();
  }
  throw new Error(`${host}:${port} closed the connection at once`);
}

export function announceGateway(data: DataDirectory, gateway: GatewayProcess): void {
  writeFileSync(noteFile(data), `${JSON.stringify(gateway)}\n`, { mode: 0o600 });
}

export function withdrawGateway(data: DataDirectory): void {
  rmSync(noteFile(data), { force: true });
}

function noteFile(data: DataDirectory): string {
  return join(data.root, 'gateway.json');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
