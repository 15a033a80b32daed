import { readFileSync, rmSync, writeFileSync } from 'node:fs';
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
