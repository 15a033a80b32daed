import {
  derivedTable,
  derivedTableNames,
  type IngestWindow,
  inlineAddressTests,
  intervalLiteral,
  type LakeEngine,
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
};

/**
 * The runbook's query as one engine runs it: derived tables inlined, window and inputs as literals.
 * @throws RunbookError `input`
 */
export function compileRunbook(runbook: Runbook, options: CompileOptions): string {
  const window: QueryWindow = {
    fromMs: options.fromMs,
    toMs: options.toMs,
    ...(runbook.trigger.baselineMs === undefined ? {} : { baselineMs: runbook.trigger.baselineMs }),
  };
  const inputs = inputLiterals(runbook, options.inputs ?? {});
  const sql = sqlTokens(runbook.sql)
    .map((token) =>
      token.kind === 'placeholder'
        ? replacement(token.text.slice(2, -1), window, inputs, options)
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

function replacement(
  name: string,
  window: QueryWindow,
  inputs: ReadonlyMap<string, string>,
  options: CompileOptions,
): string {
  const table = derivedTableNames.find((each) => each === name);
  const from = {
    engine: options.engine,
    withoutRunbooks: true,
    ...(options.records === undefined ? {} : { records: options.records }),
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
