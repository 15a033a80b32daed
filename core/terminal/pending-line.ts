import type { CommandLog } from './command-log.ts';
import type { Reading } from './line-reading.ts';
import { reconcile } from './reconcile.ts';
import type { Screen } from './screen.ts';
import type { CommandConfidence, PendingLine } from './terminal-events.ts';
import type { TypedLine } from './typed-line.ts';

/** Rows under a line that are looked at. */
const maxRowsBelow = 50;

export function pendingLine(screen: Screen, log: CommandLog): PendingLine {
  const pending = log.pending();
  const state = pending.state;
  const below = state === 'editing' ? textBelow(screen) : '';
  const search = searched(screen);
  if (search !== undefined && (state === 'editing' || state === 'cooked'))
    return {
      text: pending.open + search.text,
      below,
      prompt: search.prompt,
      confidence: search.confidence,
      state,
      echoed: false,
      typed: undefined,
    };
  const { reading, typed } = pending;
  const best = reconcile(reading.text, typed, false);
  const text = reading.whole ?? (state === 'alt' ? reading.text : best.text);
  // Without a prompt before it, it was typed ahead: shells show that when they are back. What asks for a secret asks otherwise than a shell.
  const isForShell = reading.prompt.trim() === '' || /[$#%>❯➜»λ] ?$/.test(reading.prompt);
  const isShownLater = state === 'editing' || (state === 'cooked' && isForShell);
  const isKnown = isShownLater && typed.certain && typed.line.trim() !== '';
  return {
    text: pending.open + text,
    below,
    prompt: reading.prompt,
    confidence: confidenceOf(state, reading, typed, best.agreed),
    state,
    echoed: reading.whole === undefined && (best.agreed || isBlank(reading, typed)),
    typed: isKnown ? pending.open + typed.line : undefined,
  };
}

/** An accept key and nothing else, at a line that is where it was. */
function isBlank(reading: Reading, typed: TypedLine): boolean {
  return typed.certain && typed.line.trim() === '' && reading.text.trim() === '' && reading.found !== 'guess';
}

function confidenceOf(
  state: PendingLine['state'],
  reading: Reading,
  typed: TypedLine,
  agreed: boolean,
): CommandConfidence {
  if (state === 'alt' || reading.found === 'known' || reading.found === 'typed') return 'medium';
  if (reading.found === 'guess' || reading.found === 'gone' || reading.whole !== undefined) return 'low';
  if (agreed) return 'high';
  // Keys that were not echoed yet, or never will be.
  return typed.certain && typed.line.trim() !== '' ? 'low' : 'high';
}

/**
 * readline's search shows what it found instead of the line: `(reverse-i-search)'deploy': the line`. What was searched for may
 * hold the separator too, so the longest reading is taken, and not trusted, where there are several.
 */
function searched(
  screen: Screen,
): { text: string; prompt: string; confidence: CommandConfidence } | undefined {
  const cursor = screen.cursor();
  let first = cursor.row;
  while (first > 0 && screen.wrapped(first)) first -= 1;
  let row = '';
  for (let at = first; at === first || (at <= screen.lastRow && screen.wrapped(at)); at += 1)
    row += screen.text(at);
  const found = /^\((?:failed )?(?:reverse-)?i-search\)[`'].*?': ?/.exec(row);
  if (found === null) return undefined;
  const text = row.slice(found[0].length).trimEnd();
  return { text, prompt: found[0], confidence: text.includes("': ") ? 'low' : 'medium' };
}

function textBelow(screen: Screen): string {
  let row = screen.cursor().row + 1;
  while (row <= screen.lastRow && screen.wrapped(row)) row += 1;
  const rows: string[] = [];
  for (; row <= screen.lastRow && rows.length < maxRowsBelow; row += 1) rows.push(screen.text(row).trimEnd());
  return rows.join('\n').trimEnd();
}
