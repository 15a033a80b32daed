import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A program of the checkout's Python environment; the test command installs it. */
export function pythonTool(name: string): string {
  const program = join(import.meta.dirname, '..', '..', '.cache', 'python', 'bin', name);
  if (!existsSync(program))
    throw new Error(`${name} is not in .cache/python: run npm test, which installs it or says what it needs`);
  return program;
}
