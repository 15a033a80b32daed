import { join } from 'node:path';

/** Where processes that tests start find what others have compiled. */
export const compiledCodeFolder =
  process.env['NODE_COMPILE_CACHE'] ??
  join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'sshtrail-tests');

/** For a process whose environment is otherwise bare. */
export const compiledCode: Readonly<Record<string, string>> = { NODE_COMPILE_CACHE: compiledCodeFolder };
