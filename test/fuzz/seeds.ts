import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, 'seeds');

export type Seed = { readonly file: string; readonly input: Buffer };

/** The inputs kept for a target: those that reach far, and those that once broke something. */
export function seedsOf(target: string): readonly Seed[] {
  const own = join(folder, target);
  if (!existsSync(own)) return [];
  return readdirSync(own)
    .sort()
    .map((name) => ({ file: join(own, name), input: readFileSync(join(own, name)) }));
}

/** Keeps an input under a name that follows from its bytes; returns the file. */
export function keepSeed(target: string, input: Buffer): string {
  const own = join(folder, target);
  mkdirSync(own, { recursive: true });
  const file = join(own, createHash('sha256').update(input).digest('hex').slice(0, 12));
  writeFileSync(file, input);
  return file;
}
