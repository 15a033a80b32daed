import { isContinuationPrompt, isPlainContinuation } from './prompts.ts';
import { isIncomplete } from './shell-syntax.ts';
import type { CommandConfidence, CommandKind, TerminalListener } from './terminal-events.ts';

export type AcceptedLine = {
  readonly atMs: number;
  readonly text: string;
  readonly prompt: string;
  readonly kind: CommandKind;
  readonly confidence: CommandConfidence;
};

/** Joins accepted lines into commands and tells them. */
export type CommandList = {
  add(line: AcceptedLine): void;
  /** The line at this prompt was interrupted: so is the command it would have continued. */
  interrupt(prompt: string): void;
  advance(nowMs: number): void;
  finish(): void;
  /** The lines accepted so far of a command that is not complete, each with a line feed. */
  openText(prompt: string): string;
  /** The last line that was accepted, which is what runs now. */
  readonly running: string;
};

/** A command is told once it cannot be continued any more, or after this long. */
const holdMs = 1000;
/** One that is incomplete has not run yet. */
const holdIncompleteMs = 10_000;
const maxTextLength = 64 * 1024;
const confidences: readonly CommandConfidence[] = ['exact', 'high', 'medium', 'low'];

type Held = AcceptedLine & {
  readonly number: number;
  readonly lastPrompt: string;
  readonly changedAtMs: number;
};

export function createCommandList(
  listener: Pick<TerminalListener, 'onCommand' | 'onAmend'>,
  startedAtMs: number,
): CommandList {
  let held: Held | undefined;
  let told = false;
  let count = 0;
  let running = '';
  const tell = (): void => {
    if (held === undefined || told) return;
    told = true;
    const { number, atMs, text, kind, confidence, prompt } = held;
    listener.onCommand({ number, atMs, offsetMs: atMs - startedAtMs, text, kind, confidence, prompt });
  };
  const join = (first: Held, line: AcceptedLine): void => {
    held = {
      ...first,
      text: `${first.text}\n${line.text}`.slice(0, maxTextLength),
      confidence: lowest(first.confidence, line.confidence),
      lastPrompt: line.prompt,
      changedAtMs: line.atMs,
    };
    if (told) listener.onAmend({ number: held.number, text: held.text, aborted: false });
  };
  return {
    add(line) {
      running = line.text;
      if (held !== undefined && continues(held, line.prompt)) {
        join(held, line);
        return;
      }
      tell();
      count += 1;
      told = false;
      held = {
        ...line,
        text: line.text.slice(0, maxTextLength),
        number: count,
        lastPrompt: line.prompt,
        changedAtMs: line.atMs,
      };
    },
    interrupt(prompt) {
      if (held === undefined || !continues(held, prompt)) return;
      if (told) listener.onAmend({ number: held.number, text: held.text, aborted: true });
      held = undefined;
    },
    advance(nowMs) {
      if (held === undefined || told) return;
      const quietMs = nowMs - held.changedAtMs;
      if (quietMs >= holdIncompleteMs || (quietMs >= holdMs && !isIncomplete(held.text))) tell();
    },
    finish() {
      tell();
      held = undefined;
    },
    openText: (prompt) => (held !== undefined && continues(held, prompt) ? `${held.text}\n` : ''),
    get running() {
      return running;
    },
  };
}

function continues(held: Held, prompt: string): boolean {
  if (isContinuationPrompt(prompt)) return prompt !== held.prompt || isIncomplete(held.text);
  return isPlainContinuation(prompt) && isIncomplete(held.text);
}

function lowest(one: CommandConfidence, other: CommandConfidence): CommandConfidence {
  return confidences[Math.max(confidences.indexOf(one), confidences.indexOf(other))] ?? 'low';
}
