import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The Trino grammar's ESM build does not load in plain Node.
    server: { deps: { inline: ['dt-sql-parser'] } },
  },
});
