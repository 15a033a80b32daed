import type { QueryEngine } from '#core/contract';
import type { DuckDbEngineOptions } from './duckdb-engine.ts';

/** As in duckdb-engine.ts, which is loaded now and not before: DuckDB's library takes 30 MiB, and a gateway never queries. */
export async function openDuckDbEngine(options: DuckDbEngineOptions): Promise<QueryEngine> {
  const engine = await import('./duckdb-engine.ts');
  return engine.openDuckDbEngine(options);
}
