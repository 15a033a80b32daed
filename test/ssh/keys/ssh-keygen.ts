import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A directory in which the real ssh-keygen works; gone after the file's tests. */
export type KeygenDirectory = {
  path(name: string): string;
  read(name: string): string;
  /** Mode 0600, as ssh-keygen wants private keys. */
  write(name: string, text: string): string;
  /** Runs ssh-keygen here and returns what it printed. Throws with its complaint. */
  run(args: readonly string[], input?: string | Buffer): string;
};

export function keygenDirectory(): KeygenDirectory {
  const directory = mkdtempSync(join(tmpdir(), 'ssh-keygen-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return {
    path: (name) => join(directory, name),
    read: (name) => readFileSync(join(directory, name), 'utf8'),
    write: (name, text) => {
      writeFileSync(join(directory, name), text, { mode: 0o600 });
      return join(directory, name);
    },
    run: (args, input) =>
      execFileSync('ssh-keygen', args, {
        cwd: directory,
        encoding: 'utf8',
        input: input ?? '',
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
      }),
  };
}

/** Every plain key type that ssh-keygen makes without a device. */
export const keygenTypes = [
  { type: 'ssh-ed25519', args: ['-t', 'ed25519'] },
  { type: 'ecdsa-sha2-nistp256', args: ['-t', 'ecdsa', '-b', '256'] },
  { type: 'ecdsa-sha2-nistp384', args: ['-t', 'ecdsa', '-b', '384'] },
  { type: 'ecdsa-sha2-nistp521', args: ['-t', 'ecdsa', '-b', '521'] },
  { type: 'ssh-rsa', args: ['-t', 'rsa', '-b', '2048'] },
] as const;
