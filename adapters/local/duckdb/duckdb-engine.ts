import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, type DuckDBResult, StatementType } from '@duckdb/node-api';
import type { Cell, QueryEngine, QueryResult, Row } from '#core/contract';
import { QueryError, queryTokens, type SqlToken, textLiteral, uniqueNames, withParameters } from '#core/lake';
import { cell, typeName } from './cells.ts';
import { cloudTrailFiles, createCloudTrailView } from './cloudtrail-files.ts';
import { isNotFound, openSegment, sealedSegments, wholeLines } from './lake-files.ts';
import { prelude } from './prelude.ts';
import { type QueryBudget, startBudget } from './query-budget.ts';
import { createScreenTextView, screenTextFiles } from './screen-text-files.ts';
import { trinoToDuckDb } from './trino-bridge.ts';
import { createOpenRecords, createRecordsView, insertOpenRecords, queryViews } from './views.ts';

export type DuckDbEngineOptions = {
  /**
   * Events are read from `<dataDirectory>/lake/events`; the account's own trail from `<dataDirectory>/lake/cloudtrail`, and what
   * screens said from `<dataDirectory>/lake/screen-text`, where those folders are there when the engine is opened.
   */
  readonly dataDirectory: string;
  /** Segments that are being written and have no sealed twin yet; the journal's own listing. */
  readonly openSegmentFiles: (dataDirectory: string) => Promise<readonly { readonly path: string }[]>;
  /** 2 when absent. */
  readonly threads?: number;
  /** E.g. `512MB`, which it is when absent. */
  readonly memoryLimit?: string;
};

const maxSqlLength = 1 << 20;
const maxListings = 5;

/**
 * Runs SELECTs over the local lake, each over what is there when it starts. A statement reaches those folders and nothing else:
 * no other file, no network, no setting, no writing.
 */
export async function openDuckDbEngine(options: DuckDbEngineOptions): Promise<QueryEngine> {
  const eventsPath = join(options.dataDirectory, 'lake', 'events');
  await mkdir(eventsPath, { recursive: true, mode: 0o700 });
  // The sandbox compares real paths.
  const eventsDirectory = await realpath(eventsPath);
  const cloudTrailDirectory = await realPathOf(join(options.dataDirectory, 'lake', 'cloudtrail'));
  const screenTextDirectory = await realPathOf(join(options.dataDirectory, 'lake', 'screen-text'));
  if (/[*?[\]{}]/.test(eventsDirectory))
    throw new QueryError(
      'unreadable',
      `the data folder ${JSON.stringify(eventsDirectory)} has one of * ? [ ] { } in its path, which would be read as a pattern; choose another folder`,
    );
  const directories = [eventsDirectory, cloudTrailDirectory, screenTextDirectory].filter(
    (directory) => directory !== undefined,
  );
  const instance = await openSandbox(directories, options);
  const queries = new Set<QueryBudget>();
  let closed = false;

  return {
    select: async (sql, limits) => {
      if (closed) throw new QueryError('refused', 'the query engine is closed');
      if (limits.signal?.aborted === true) throw new QueryError('aborted', 'the query was cancelled');
      const statement = checkedStatement(sql, limits.parameters);
      const connection = await instance.connect();
      const budget = startBudget(connection, { ...limits, onClose: () => queries.delete(budget) });
      queries.add(budget);
      try {
        return await startQuery(
          {
            connection,
            budget,
            eventsDirectory,
            cloudTrailDirectory,
            screenTextDirectory,
            listOpen: () => options.openSegmentFiles(options.dataDirectory),
          },
          statement,
        );
      } catch (error) {
        budget.close();
        throw asQueryError(error);
      }
    },
    close: async () => {
      if (closed) return;
      closed = true;
      for (const query of queries) query.close();
      instance.closeSync();
    },
  };
}

async function realPathOf(folder: string): Promise<string | undefined> {
  return realpath(folder).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
}

/** The order matters: macros need a catalogue that may be changed, and nothing may be changed once it is locked. */
async function openSandbox(
  directories: readonly string[],
  options: DuckDbEngineOptions,
): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(options.threads ?? 2),
    memory_limit: options.memoryLimit ?? '512MB',
  });
  const connection = await instance.connect();
  try {
    for (const statement of prelude) await connection.run(statement);
    await connection.run("SET temp_directory=''");
    const allowed = directories.map((directory) => textLiteral(`${directory}/`)).join(', ');
    await connection.run(`SET allowed_directories=[${allowed}]`);
    await connection.run('SET enable_external_access=false');
    await connection.run('SET lock_configuration=true');
  } catch (error) {
    instance.closeSync();
    throw error;
  } finally {
    connection.closeSync();
  }
  return instance;
}

type Statement = { readonly sql: string; readonly names: ReadonlySet<string> };

/** DuckDB calls PRAGMA a SELECT too, so the first word counts as well as the statement's type. */
const firstWords = ['select', 'with', 'values', 'from', 'describe', '('];

function checkedStatement(sql: string, parameters: readonly string[] | undefined): Statement {
  const tokens = queryTokens(sql, { maxLength: maxSqlLength, firstWords });
  return { sql: trinoToDuckDb(withParameters(sql, parameters)), names: new Set(tokens.map(nameOf)) };
}

function nameOf(token: SqlToken): string {
  return (token.kind === 'name' ? token.text.slice(1, -1) : token.text).toLowerCase();
}

type QueryPlace = {
  readonly connection: DuckDBConnection;
  readonly budget: QueryBudget;
  readonly eventsDirectory: string;
  readonly cloudTrailDirectory: string | undefined;
  readonly screenTextDirectory: string | undefined;
  readonly listOpen: () => Promise<readonly { readonly path: string }[]>;
};

/** A segment that is sealed, or a file that is compacted away, between listing and reading: list again. */
async function startQuery(place: QueryPlace, statement: Statement): Promise<QueryResult> {
  for (let listing = 1; ; listing += 1) {
    try {
      await place.budget.run(() => createViews(place, statement));
      return await openResult(place, statement);
    } catch (error) {
      if (!hasVanished(error) || listing === maxListings) throw error;
      await place.budget.run(() => dropViews(place.connection));
    }
  }
}

function hasVanished(error: unknown): boolean {
  if (isNotFound(error)) return true;
  return (
    error instanceof Error &&
    /^IO Error: (No files found that match|Cannot open file .*No such file)/.test(error.message)
  );
}

/** Open segments are read before the sealed ones are listed: what is sealed in between is then seen as sealed, and its open twin is dropped. */
async function createViews(place: QueryPlace, statement: Statement): Promise<void> {
  const { connection } = place;
  await connection.run(createOpenRecords);
  const open = (await place.listOpen()).map(({ path }) => openSegment(path));
  for (const segment of open) await insertSegment(connection, segment.path, segment.twinKey);
  const sealed = await sealedSegments(place.eventsDirectory);
  const sealedKeys = new Set(sealed.map((segment) => segment.twinKey));
  const twins = open.filter((segment) => sealedKeys.has(segment.twinKey));
  for (const twin of twins)
    await connection.run('DELETE FROM open_records WHERE segment = $1', [twin.twinKey]);
  await connection.run(createRecordsView(sealed));
  if (statement.names.has('cloudtrail') || statement.names.has('cloudtrail_records')) {
    const folder = place.cloudTrailDirectory;
    await connection.run(createCloudTrailView(folder === undefined ? [] : await cloudTrailFiles(folder)));
  }
  if (statement.names.has('screen_text')) {
    const folder = place.screenTextDirectory;
    await connection.run(createScreenTextView(folder === undefined ? [] : await screenTextFiles(folder)));
  }
  for (const [name, create] of queryViews) if (statement.names.has(name)) await connection.run(create);
}

async function insertSegment(connection: DuckDBConnection, path: string, twinKey: string): Promise<void> {
  for await (const lines of wholeLines(path)) {
    try {
      await connection.run(insertOpenRecords, [lines, twinKey]);
    } catch (error) {
      throw new QueryError(
        'unreadable',
        `${path} has a line that is not an audit record; run sshtrail verify to find it`,
        { cause: error },
      );
    }
  }
}

async function dropViews(connection: DuckDBConnection): Promise<void> {
  for (const name of [...queryViews.keys(), 'ssh_records', 'cloudtrail_records', 'screen_text'])
    await connection.run(`DROP VIEW IF EXISTS temp.${name}`);
  await connection.run('DROP TABLE IF EXISTS temp.open_records');
}

/** The first rows are read at once, so that a file that cannot be read is found while it can still be listed again. */
async function openResult(place: QueryPlace, statement: Statement): Promise<QueryResult> {
  const { budget } = place;
  const result = await budget.run(async () => {
    const extracted = await place.connection.extractStatements(statement.sql);
    if (extracted.count !== 1)
      throw new QueryError('refused', `one SELECT at a time; this has ${extracted.count} statements`);
    const prepared = await extracted.prepare(0);
    if (prepared.statementType !== StatementType.SELECT)
      throw new QueryError(
        'refused',
        'only SELECT is run here; nothing in the lake can be changed by a query',
      );
    return prepared.stream();
  });
  const names = uniqueNames(result.columnNames());
  const columns = result.columnTypes().map((type, index) => ({
    name: names[index] ?? '',
    type: typeName(type),
  }));
  const first = await nextPage(budget, result, names);
  return { columns, rows: pages(budget, result, names, first) };
}

async function* pages(
  budget: QueryBudget,
  result: DuckDBResult,
  names: readonly string[],
  first: readonly Row[] | undefined,
): AsyncGenerator<readonly Row[]> {
  try {
    for (let page = first; page !== undefined; page = await nextPage(budget, result, names)) yield page;
  } catch (error) {
    throw asQueryError(error);
  } finally {
    budget.close();
  }
}

async function nextPage(
  budget: QueryBudget,
  result: DuckDBResult,
  names: readonly string[],
): Promise<readonly Row[] | undefined> {
  const chunk = await budget.run(() => result.fetchChunk());
  if (chunk === null || chunk.rowCount === 0) {
    // Nothing more will be read: the connection need not wait for the caller.
    budget.close();
    return undefined;
  }
  return chunk.getRows().map((values) => {
    const row: [string, Cell][] = names.map((name, index) => [name, cell(values[index] ?? null)]);
    return Object.fromEntries(row);
  });
}

function asQueryError(error: unknown): QueryError {
  if (error instanceof QueryError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const printable = message.replace(/[^\P{Cc}\n]/gu, ' ').trim();
  if (message.startsWith('Permission Error'))
    return new QueryError('refused', `queries reach the events of the lake and nothing else: ${printable}`, {
      cause: error,
    });
  const fromFileSystem = error instanceof Error && 'syscall' in error;
  const unreadable = fromFileSystem || /in file "|GZIP stream|^IO Error/.test(message);
  return new QueryError(unreadable ? 'unreadable' : 'invalid', printable, { cause: error });
}
