import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.ts';
import { compiledCodeFolder } from './test/support/compiled-code.ts';

// What one worker, or a process that a test starts, has compiled the next one loads.
process.env['NODE_COMPILE_CACHE'] = compiledCodeFolder;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // As many as the processors that the tests are meant for: with a third, what is about time fails now and then.
    maxWorkers: 2,
    // A worker takes one file after the other, and loads and compiles the product once: every file cleans up behind itself.
    isolate: false,
    // Node loads what is tested as it does in production: no second way of resolving, and half the time of an import.
    experimental: { viteModuleRunner: false },
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
