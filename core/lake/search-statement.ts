import { derivedTable, type IngestWindow } from './derived-tables.ts';
import type { LakeEngine } from './dialect.ts';
import { dayLiteral, timestampLiteral } from './literal.ts';
import { QueryError } from './query-error.ts';

export type TextSearch = {
  /** All of them stand in the line, in any case and order. */
  readonly words: readonly string[];
  readonly user?: string | undefined;
  readonly target?: string | undefined;
  /** Half-open. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly limit: number;
};

export type SearchStatement = { readonly sql: string; readonly parameters: readonly string[] };

const dayMs = 86_400_000;
/** Screens lie under the day on which their recording began. */
const longestRecordingDays = 90;
const maxWords = 16;
const maxWordLength = 256;

/**
 * Lines of commands and of screens with all of the words, newest first: `kind` (command, screen), `said_at`, `session_id`, `recording_id`,
 * `seconds`, `text`, `user_name`, `target_user`, `target_name`, `error_code`, `stored`. One text for every engine that has recordings.
 * @throws QueryError `refused`
 */
export function searchStatement(engine: LakeEngine, search: TextSearch): SearchStatement {
  if (engine === 'lake')
    throw new QueryError('refused', 'CloudTrail Lake has no screens; search where the recordings are');
  const { words } = search;
  if (words.length === 0 || words.length > maxWords || words.some((word) => !isWord(word)))
    throw new QueryError(
      'refused',
      `search for 1 to ${maxWords} words of 1 to ${maxWordLength} characters; put words that stand together in quotes`,
    );
  const commands = commandLines(engine, search);
  const screens = screenLines(search);
  const owners = recordingOwners(engine, search);
  const people = [
    ...(search.user === undefined ? [] : ['coalesce(h.user_name, r.user_name) = ?']),
    ...(search.target === undefined ? [] : ['coalesce(h.target_name, r.target_name) = ?']),
  ];
  const where = people.length === 0 ? '' : ` WHERE ${people.join(' AND ')}`;
  const sql = `SELECT h.kind, to_iso8601(h.said_at) AS said_at, h.session_id, h.recording_id, h.seconds, h.text, \
coalesce(h.user_name, r.user_name) AS user_name, coalesce(h.target_user, r.target_user) AS target_user, \
coalesce(h.target_name, r.target_name) AS target_name, h.error_code, r.recording_id IS NOT NULL AS stored \
FROM (${commands} UNION ALL ${screens}) AS h LEFT JOIN (${owners}) AS r ON r.recording_id = h.recording_id${where} \
ORDER BY h.said_at DESC, h.recording_id, h.seconds DESC, h.kind LIMIT ${Math.trunc(search.limit)}`;
  const who = [search.user, search.target].filter((name) => name !== undefined);
  return { sql, parameters: [...words, ...words, ...who] };
}

/** How many stored recordings have no rows in `screen_text`, and how many have not all: `unread`, `cut`. */
export function searchGapsStatement(engine: LakeEngine, search: TextSearch): SearchStatement {
  const bounds = screenDays(search);
  const ends = `SELECT t.recording_id, max(t.outcome) AS outcome FROM screen_text AS t WHERE t.text IS NULL${bounds} GROUP BY t.recording_id`;
  const sql = `SELECT count_if(s.recording_id IS NULL) AS unread, count_if(s.outcome = 'cut') AS cut FROM (${recordingOwners(engine, search)}) AS r \
LEFT JOIN (${ends}) AS s ON s.recording_id = r.recording_id`;
  return { sql, parameters: [] };
}

/** Screens have no control characters. */
function isWord(word: string): boolean {
  return word.trim() !== '' && word.length <= maxWordLength && !/\p{Cc}/u.test(word);
}

function commandLines(engine: LakeEngine, search: TextSearch): string {
  const table = derivedTable('commands', {
    engine,
    ...windowOf(search),
    columns: new Set([
      'event_time',
      'session_id',
      'request',
      'command',
      'user_name',
      'target_user',
      'target_name',
      'error_code',
    ]),
  });
  return `SELECT 'command' AS kind, c.event_time AS said_at, c.session_id, \
c.session_id || '/' || json_extract_scalar(c.request, '$.channelId') AS recording_id, \
coalesce(TRY_CAST(json_extract_scalar(c.request, '$.recordingSecond') AS double), CAST(0 AS double)) AS seconds, \
c.command AS text, c.user_name, c.target_user, c.target_name, c.error_code \
FROM ${table} AS c WHERE ${found('c.command', search)}${between('c.event_time', search)}`;
}

function screenLines(search: TextSearch): string {
  const saidAt = 'from_iso8601_timestamp(t.said_at)';
  const unknown = ['user_name', 'target_user', 'target_name', 'error_code'].map(
    (name) => `CAST(NULL AS varchar) AS ${name}`,
  );
  return `SELECT 'screen' AS kind, ${saidAt} AS said_at, t.session_id, t.recording_id, CAST(t.seconds AS double) AS seconds, t.text, \
${unknown.join(', ')} FROM screen_text AS t WHERE t.text IS NOT NULL AND ${found('t.text', search)}${between(saidAt, search)}${screenDays(search)}`;
}

/** Whose a stored recording is. It may be on record twice. */
function recordingOwners(engine: LakeEngine, search: TextSearch): string {
  const { sinceMs } = search;
  const table = derivedTable('events', {
    engine,
    // A screen said it before its recording was stored.
    ...(sinceMs === undefined ? {} : { window: { fromMs: sinceMs, toMs: farMs } }),
    columns: new Set(['event_name', 'session_id', 'request', 'user_name', 'target_user', 'target_name']),
  });
  return `SELECT json_extract_scalar(e.request, '$.recordingId') AS recording_id, max(e.user_name) AS user_name, \
max(e.target_user) AS target_user, max(e.target_name) AS target_name FROM ${table} AS e \
WHERE e.event_name = 'StoreRecording' GROUP BY json_extract_scalar(e.request, '$.recordingId')`;
}

/** The end of the year 9999, which day partitions end long before. */
const farMs = Date.UTC(9999, 11, 31);

function found(column: string, { words }: TextSearch): string {
  return words.map(() => `strpos(lower(${column}), lower(?)) > 0`).join(' AND ');
}

function between(time: string, { sinceMs, untilMs }: TextSearch): string {
  const since = sinceMs === undefined ? '' : ` AND ${time} >= ${timestampLiteral(sinceMs)}`;
  return untilMs === undefined ? since : `${since} AND ${time} < ${timestampLiteral(untilMs)}`;
}

function windowOf({ sinceMs, untilMs }: TextSearch): { readonly window?: IngestWindow } {
  if (sinceMs === undefined && untilMs === undefined) return {};
  // What was taken in a day late is found.
  return { window: { fromMs: sinceMs ?? 0, toMs: untilMs === undefined ? farMs : untilMs + dayMs } };
}

function screenDays({ sinceMs, untilMs }: TextSearch): string {
  const since =
    sinceMs === undefined ? '' : ` AND t.dt >= ${dayLiteral(sinceMs - longestRecordingDays * dayMs)}`;
  return untilMs === undefined ? since : `${since} AND t.dt <= ${dayLiteral(untilMs)}`;
}
