import {
  type CloudTrailRelation,
  derivedTable,
  derivedTableNames,
  type IngestWindow,
  inlineAddressTests,
  intervalLiteral,
  type LakeEngine,
  localCloudTrailRelation,
  meaningfulTokens,
  type SqlToken,
  sqlTokens,
  textLiteral,
  timestampLiteral,
} from '#core/lake';
import { byteCount, durationMs } from './duration.ts';
import type { InputValue, Runbook, RunbookInput } from './runbook.ts';
import { RunbookError } from './runbook-error.ts';

export type CompileOptions = {
  readonly engine: LakeEngine;
  /** `${from}`, by ingest time. */
  readonly fromMs: number;
  /** `${to}`, by ingest time; not included. */
  readonly toMs: number;
  /** Values instead of the defaults. */
  readonly inputs?: Readonly<Record<string, InputValue>>;
  /** Relation of the raw records, where it is not the engine's usual one. */
  readonly records?: string;
  /** Where `${cloudtrail}` is read; on DuckDB the local files when absent, elsewhere there is none. */
  readonly cloudtrail?: CloudTrailRelation;
};

/**
 * The runbook's query as one engine runs it: derived tables inlined, window and inputs as literals.
 * @throws RunbookError `input`, or `source` where the query reads `${cloudtrail}` and the engine has none
 */
export function compileRunbook(runbook: Runbook, options: CompileOptions): string {
  const window: QueryWindow = {
    fromMs: options.fromMs,
    toMs: options.toMs,
    ...(runbook.trigger.baselineMs === undefined ? {} : { baselineMs: runbook.trigger.baselineMs }),
  };
  const inputs = inputLiterals(runbook, options.inputs ?? {});
  const source = { ...options, columns: mentionedColumns(runbook.sql, options.engine) };
  const sql = sqlTokens(runbook.sql)
    .map((token) =>
      token.kind === 'placeholder'
        ? replacement(runbook, token.text.slice(2, -1), window, inputs, source)
        : token.text,
    )
    .join('')
    .trim();
  return options.engine === 'duckdb' ? sql : inlineAddressTests(sql);
}

/** Why a value is not one of the input's type, or undefined. */
export function inputProblem(input: RunbookInput, value: InputValue): string | undefined {
  const literal = inputLiteral(input.type, value);
  return literal.ok ? undefined : literal.message;
}

type QueryWindow = IngestWindow & { readonly baselineMs?: number };

/** All where undefined. */
type Source = CompileOptions & { readonly columns: ReadonlySet<string> | undefined };

/**
 * CloudTrail Lake takes 10,000 characters, so its tables have the columns that the query names, whatever it means by
 * the names, and all of them only for a query that selects `*`.
 */
function mentionedColumns(sql: string, engine: LakeEngine): ReadonlySet<string> | undefined {
  if (engine !== 'lake') return undefined;
  const tokens = meaningfulTokens(sql);
  if (tokens.some((token, index) => token.text === '*' && selectsAll(tokens[index - 1]))) return undefined;
  return new Set(
    tokens.flatMap((token) => {
      if (token.kind === 'word') return [token.text.toLowerCase()];
      return token.kind === 'name' ? [token.text.slice(1, -1).toLowerCase()] : [];
    }),
  );
}

function selectsAll(before: SqlToken | undefined): boolean {
  return ['select', 'distinct', 'all', ',', '.'].includes(before?.text.toLowerCase() ?? '');
}

/** @throws RunbookError `source` */
function cloudTrailSource(runbook: Runbook, options: CompileOptions): string {
  const source = options.cloudtrail ?? (options.engine === 'duckdb' ? localCloudTrailRelation : undefined);
  if (source === undefined)
    throw new RunbookError(
      'source',
      `${runbook.id} reads the account's own trail and none is set up as a source here; name its table or its event data store`,
    );
  if (source.engine !== options.engine)
    throw new RunbookError(
      'source',
      `${runbook.id} runs on ${engineWords[options.engine]} and the account's own trail is read by ${engineWords[source.engine]}; run it there, or name a source of its engine`,
    );
  return source.relation;
}

const engineWords: Readonly<Record<LakeEngine, string>> = {
  duckdb: 'DuckDB',
  athena: 'Athena',
  lake: 'CloudTrail Lake',
};

function replacement(
  runbook: Runbook,
  name: string,
  window: QueryWindow,
  inputs: ReadonlyMap<string, string>,
  options: Source,
): string {
  const table = derivedTableNames.find((each) => each === name);
  const from = {
    engine: options.engine,
    withoutRunbooks: true,
    ...(options.records === undefined ? {} : { records: options.records }),
    ...(options.columns === undefined ? {} : { columns: options.columns }),
    ...(name === 'cloudtrail' ? { cloudtrail: cloudTrailSource(runbook, options) } : {}),
  };
  if (table !== undefined) return derivedTable(table, { ...from, window });
  if (name === 'baseline' && window.baselineMs !== undefined)
    return derivedTable('events', {
      ...from,
      window: { fromMs: window.toMs - window.baselineMs, toMs: window.toMs },
    });
  if (name === 'from') return timestampLiteral(window.fromMs);
  if (name === 'to') return timestampLiteral(window.toMs);
  const input = inputs.get(name);
  if (input === undefined) throw new RunbookError('input', `\${${name}} is not known; lint the runbook`);
  return input;
}

function inputLiterals(
  runbook: Runbook,
  values: Readonly<Record<string, InputValue>>,
): ReadonlyMap<string, string> {
  for (const name of Object.keys(values))
    if (!Object.hasOwn(runbook.inputs, name))
      throw new RunbookError(
        'input',
        `${runbook.id} has no input ${JSON.stringify(name)}; it has ${Object.keys(runbook.inputs).join(', ') || 'none'}`,
      );
  return new Map(
    Object.entries(runbook.inputs).map(([name, input]) => {
      const literal = inputLiteral(
        input.type,
        Object.hasOwn(values, name) ? (values[name] ?? '') : input.default,
      );
      if (!literal.ok)
        throw new RunbookError('input', `input ${name} of ${runbook.id} is wrong: ${literal.message}`);
      return [`inputs.${name}`, literal.sql];
    }),
  );
}

type InputLiteral =
  | { readonly ok: true; readonly sql: string }
  | { readonly ok: false; readonly message: string };

const maxTextLength = 1_024;

function inputLiteral(type: RunbookInput['type'], value: InputValue): InputLiteral {
  switch (type) {
    case 'duration': {
      const ms = typeof value === 'string' ? durationMs(value) : undefined;
      return ms === undefined ? no('a duration like 30s, 10m, 24h or 7d') : yes(intervalLiteral(ms));
    }
    case 'bytes': {
      const count = byteCount(String(value));
      return count === undefined ? no('a size like 4096, 10MiB or 1GiB') : yes(String(count));
    }
    case 'integer': {
      const count =
        typeof value === 'number' || /^-?[0-9]{1,15}$/.test(String(value)) ? Number(value) : Number.NaN;
      return Number.isSafeInteger(count)
        ? yes(count < 0 ? `(${count})` : String(count))
        : no('a whole number');
    }
    case 'boolean':
      return ['true', 'false'].includes(String(value)) ? yes(String(value)) : no('true or false');
    case 'string':
      if (typeof value !== 'string') return no('text');
      return value.length <= maxTextLength && value.isWellFormed() && !/\p{Cc}/u.test(value)
        ? yes(textLiteral(value))
        : no(`text of at most ${maxTextLength} characters on one line`);
    default:
      return type satisfies never;
  }
}

function yes(sql: string): InputLiteral {
  return { ok: true, sql };
}

function no(expected: string): InputLiteral {
  return { ok: false, message: `expected ${expected}` };
}
