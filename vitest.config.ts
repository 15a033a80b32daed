import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.ts';
import { compiledCodeFolder } from './test/support/compiled-code.ts';

// What one worker, or a process that a test starts, has compiled the next one loads.
process.env['NODE_COMPILE_CACHE'] = compiledCodeFolder;

/** What leaves nothing behind in its process: a worker takes one such file after the other, and loads the product once. */
const units = ['test/core/**/*.test.ts', 'test/ssh/**/*.test.ts'];

export default defineConfig({
  test: {
    projects: [
      // The longest files are of this one; projects are begun in the order of their names.
      { extends: true, test: { name: 'system', include: ['test/**/*.test.ts'], exclude: units } },
      { extends: true, test: { name: 'unit', include: units, isolate: false } },
    ],
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The Trino grammar's ESM build does not load in plain Node.
    server: { deps: { inline: ['dt-sql-parser'] } },
  },
});
