import { userInfo } from 'node:os';
import { createFolderBlobStore } from '#adapters/local';
import type { Row } from '#core/contract';
import { queryAuditLog } from '#core/event';
import { QueryError, searchGapsStatement, searchStatement, type TextSearch } from '#core/lake';
import { compileRules, redactText } from '#core/redaction';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData } from './command-context.ts';
import type { SearchOptions } from './commands/search.ts';
import type { DataDirectory } from './data-directory.ts';
import { readConfiguration } from './installation.ts';
import { ask, withLake } from './lake-query.ts';
import { cellText, jsonText, printable } from './output.ts';
import { recordByHand } from './own-journal.ts';

/** A line with the words, and how to see it where it stood. */
type Hit = {
  readonly kind: string;
  readonly time: string;
  readonly sessionId: string;
  readonly channel: string;
  readonly second: number;
  readonly user: string;
  readonly login: string;
  readonly target: string;
  readonly text: string;
  /** Why it was not done. */
  readonly errorCode: string | undefined;
  readonly command: string | undefined;
};

const deadlineMs = 120_000;

export async function search(
  words: readonly string[],
  options: SearchOptions,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const nowMs = context.now();
  const data = chosenData(options, context);
  const { user, target } = options;
  const wanted: TextSearch = {
    words,
    user,
    target,
    sinceMs: options.since?.(nowMs),
    untilMs: options.until?.(nowMs),
    limit: options.lines + 1,
  };
  const statement = statementOf(wanted);
  const rules = compileRules(readConfiguration(data).redaction);
  // On record before anything that was found is shown.
  await recordByHand(
    data,
    context,
    queryAuditLog(userInfo().username, context.now(), {
      query: redactText(words.join(' '), rules).text,
      user,
      target,
      sinceMs: wanted.sinceMs,
      untilMs: wanted.untilMs,
    }),
  );
  if (options.index === true) await indexRecordings(data, context);
  const { found, gaps } = await withLake(data, async (engine) => ({
    found: await ask(
      engine,
      statement.sql,
      deadlineMs,
      options.lines + 1,
      context.signal,
      statement.parameters,
    ),
    gaps: await ask(engine, searchGapsStatement('duckdb', wanted).sql, deadlineMs, 1, context.signal),
  }));
  const hits = found.rows.slice(0, options.lines).map((row) => hitOf(row, options.data));
  if (options.json === true) output.line(jsonText(hits));
  else for (const hit of hits) for (const line of linesOf(hit)) output.line(line);
  if (found.rows.length > options.lines)
    output.note(`only the newest ${options.lines}; ask for more with -n, or narrow it with --since`);
  else if (options.json !== true) output.note(`${hits.length} found`);
  noteGaps(gaps.rows[0], output);
}

function statementOf(wanted: TextSearch): ReturnType<typeof searchStatement> {
  try {
    return searchStatement('duckdb', wanted);
  } catch (error) {
    if (error instanceof QueryError) throw new CliError('bad-input', error.message, { cause: error });
    throw error;
  }
}

/** What was not looked through must not look like what was. */
function noteGaps(row: Row | undefined, output: CommandContext['output']): void {
  const unread = Number(row?.['unread'] ?? 0);
  const cut = Number(row?.['cut'] ?? 0);
  if (unread > 0)
    output.note(`the screens of ${unread} recordings are not searchable yet; add --index to make them so`);
  if (cut > 0)
    output.note(`of ${cut} recordings only the beginning is searched: they have more text than is kept`);
}

async function indexRecordings(data: DataDirectory, { output, signal }: CommandContext): Promise<void> {
  // With the terminal emulator, which few commands need.
  const { storeScreenText } = await import('#core/replay');
  const store = createFolderBlobStore(data.lake);
  const keys = await withLake(data, async (engine) => {
    const sql = `SELECT DISTINCT json_extract_scalar(response, '$.recordingKey') AS key FROM events WHERE event_name = 'StoreRecording'
      AND json_extract_scalar(request, '$.recordingId') NOT IN (SELECT recording_id FROM screen_text WHERE recording_id IS NOT NULL) ORDER BY key`;
    const { rows } = await ask(engine, sql, deadlineMs, maxIndexed, signal);
    return rows.map((row) => cellText(row['key'] ?? null));
  });
  for (const key of keys) {
    signal.throwIfAborted();
    try {
      await storeScreenText(store, key);
    } catch (error) {
      output.note(`${key} cannot be searched: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  output.note(`${keys.length} recordings were made searchable`);
}

const maxIndexed = 100_000;

function hitOf(row: Row, dataOption: string | undefined): Hit {
  const text = (column: string): string => {
    const value = row[column] ?? null;
    return typeof value === 'object' ? '' : String(value);
  };
  const [sessionId = '', channel = ''] = text('recording_id').split('/');
  const second = Math.max(0, Math.floor(Number(text('seconds'))));
  const data = dataOption === undefined ? '' : ` --data ${shellWord(dataOption)}`;
  const isKnown = /^s-[0-9a-f]{32}$/.test(sessionId) && /^c[1-9][0-9]{0,9}$/.test(channel);
  return {
    kind: text('kind'),
    time: text('said_at'),
    sessionId: text('session_id'),
    channel,
    second,
    user: text('user_name'),
    login: text('target_user'),
    target: text('target_name'),
    text: text('text'),
    errorCode: text('error_code') === '' ? undefined : text('error_code'),
    command:
      isKnown && row['stored'] === true
        ? `sshtrail play ${sessionId} --channel ${channel} --at ${second}${data}`
        : undefined,
  };
}

function linesOf(hit: Hit): readonly string[] {
  const { kind, errorCode, time, user, login, target, text, command } = hit;
  const what = errorCode === undefined ? kind : `${kind}, ${errorCode}`;
  return [
    `${printable(time)}  ${printable(user)}  ${printable(`${login}@${target}`)}  (${printable(what)})`,
    `  ${printable(text)}`,
    `  ${command ?? `${printable(hit.sessionId)}: nothing to play`}`,
    '',
  ];
}

function shellWord(text: string): string {
  return /^[A-Za-z0-9._/-]+$/.test(text) ? text : `'${printable(text).replaceAll("'", "'\\''")}'`;
}
