export type { DuckDbEngineOptions } from './duckdb-engine.ts';
export { openDuckDbEngine } from './open-engine.ts';
export { openTemporaryLake, type TemporaryLake } from './temporary-lake.ts';
