import {
  type CastInput,
  castHeader,
  createOriginalParts,
  createSegmentBuilder,
  type OriginalPart,
  type OriginalSealing,
  recordingId,
  type SegmentStep,
} from '#core/recording';
import {
  createRecordingRedactor,
  createValueMemory,
  type Redacted,
  type RuleSet,
  redactText,
} from '#core/redaction';
import { createTerminalState } from '#core/replay';
import type { PendingLine } from '#core/terminal';
import { createDormantScreen } from './dormant-screen.ts';
import { createDormantTerminal } from './dormant-terminal.ts';
import type { ChannelEvent, ChannelStart, Observation, ObservedEnd, PendingRead } from './observation.ts';

/** Commands the shell's program was told of are markers; longer labels are in the events. */
const maxLabelLength = 256;

/**
 * One channel as the recording thread sees it: its output is cut into segments with secrets hidden, and commands are read off its
 * screen. Pure: what it is given has its times, and what comes of it is returned.
 */
export type ChannelObserver = {
  take(event: ChannelEvent): readonly Observation[];
  /** Whether there is nothing that a tick could still bring out. */
  readonly settled: boolean;
  /** `ahead` is what is about to be sent. */
  pendingLine(ahead: Uint8Array): PendingRead;
  end(atMs: number): { readonly observations: readonly Observation[]; readonly end: ObservedEnd };
  close(): void;
};

export function observeChannel(
  { head, commands, memoryKey, segments }: ChannelStart,
  rules: RuleSet,
  sealing?: OriginalSealing,
): ChannelObserver {
  const memory = createValueMemory(memoryKey);
  const screen = createDormantScreen(head, (columns, rows) => createTerminalState(columns, rows));
  const builder = createSegmentBuilder(head, screen, segments);
  const redactor = createRecordingRedactor<CastInput>({ rules, memory, columns: head.columns });
  const originals =
    sealing === undefined
      ? undefined
      : createOriginalParts(
          { ...castHeader(head), recordingId: recordingId(head.sessionId, head.channel) },
          sealing,
          segments,
        );
  const redactions: Record<string, number> = {};
  let observed: Observation[] = [];
  let unsettledUntilMs = 0;
  let atMs = 0;
  let logFinished = false;

  const hide = (text: string): string => {
    const { text: hidden, found } = redactText(text, rules, memory);
    for (const [rule, count] of Object.entries(found)) redactions[rule] = (redactions[rule] ?? 0) + count;
    return hidden;
  };
  const log = commands
    ? createDormantTerminal({
        columns: head.columns,
        rows: head.rows,
        listener: {
          onCommand(seen) {
            const { number, offsetMs, kind, confidence } = seen;
            const text = hide(seen.text);
            observed.push({
              kind: 'command',
              command: { number, offsetMs, text, kind, confidence, prompt: hide(seen.prompt) },
            });
            if (kind !== 'input')
              keep(redactor.event(atMs, { code: 'm', label: text.slice(0, maxLabelLength) }));
          },
          onAmend: ({ number, text, aborted }) =>
            observed.push({ kind: 'amended', amended: { number, text: hide(text), aborted } }),
          // Of what the terminal did not show nothing is kept, not even that it was typed.
          onHiddenInput: () => undefined,
        },
      })
    : undefined;

  function finishLog(): void {
    if (!logFinished) log?.finish(atMs);
    logFinished = true;
  }

  function keep(given: readonly Redacted<CastInput>[]): void {
    for (const each of given) {
      const event: CastInput =
        each.kind === 'event' ? each.event : { code: 'o', stream: each.stream, data: each.data };
      note(builder.push(each.atMs, event));
    }
  }

  function note(steps: readonly SegmentStep[]): void {
    for (const step of steps) {
      const last = observed.at(-1);
      if (step.kind === 'text' && last?.kind === 'text' && last.segment === step.segment)
        observed[observed.length - 1] = { ...last, text: last.text + step.text };
      else observed.push(step);
    }
  }

  function noteOriginals(parts: readonly OriginalPart[] | undefined): void {
    for (const part of parts ?? []) observed.push({ kind: 'original', part });
  }

  function see(event: ChannelEvent): void {
    atMs = Math.max(atMs, event.atMs);
    const shown = originals === undefined ? undefined : castInputOf(event);
    if (shown !== undefined) noteOriginals(originals?.push(atMs, shown));
    if (event.kind !== 'tick') unsettledUntilMs = atMs + settleMs;
    switch (event.kind) {
      case 'output':
        if (event.stream === 'stdout') log?.output(event.data, atMs);
        return keep(redactor.output(atMs, event.stream, event.data));
      case 'input':
        log?.input(event.data, atMs);
        return;
      case 'resize': {
        const { columns, rows } = event;
        log?.resize(columns, rows, atMs);
        keep(redactor.resize(columns));
        return keep(redactor.event(atMs, { code: 'r', columns, rows }));
      }
      case 'marker':
        return keep(redactor.event(atMs, { code: 'm', label: hide(event.label) }));
      case 'exit':
        // Its last line comes before its end.
        finishLog();
        return keep(redactor.event(atMs, { code: 'x', status: event.status }));
      case 'truncated':
        return keep(redactor.event(atMs, { code: 'truncated', afterBytes: event.afterBytes }));
      case 'omitted': {
        const { reason, fromMs, bytes } = event;
        return keep(redactor.event(atMs, { code: 'omitted', reason, fromMs, bytes }));
      }
      case 'tick':
        log?.tick(atMs);
        keep(redactor.tick(atMs));
        note(builder.tick(atMs));
        noteOriginals(originals?.tick(atMs));
        screen.tick(atMs);
    }
  }

  function taken(): readonly Observation[] {
    const all = observed;
    observed = [];
    return all;
  }

  return {
    take(event) {
      see(event);
      return taken();
    },
    get settled() {
      return redactor.heldBytes === 0 && atMs >= unsettledUntilMs;
    },
    pendingLine(ahead) {
      const line = log?.readPendingLine() ?? nothingPending;
      const hidden = redactText(line.text, rules, memory).text;
      return { line, hidden, acceptKeys: log?.findAcceptKeys(ahead) ?? [] };
    },
    end(endMs) {
      atMs = Math.max(atMs, endMs);
      finishLog();
      keep(redactor.flush());
      note(builder.end(atMs));
      noteOriginals(originals?.end(atMs));
      const { summary, invalidBytes, lastTimeMs } = builder;
      for (const [rule, count] of Object.entries(redactor.counts))
        redactions[rule] = (redactions[rule] ?? 0) + count;
      return { observations: taken(), end: { summary, invalidBytes, lastTimeMs, redactions } };
    },
    close() {
      log?.close();
      screen.close();
    },
  };
}

/** What stands in the original. Not the chapters, which are made of commands. */
function castInputOf(event: ChannelEvent): CastInput | undefined {
  switch (event.kind) {
    case 'output':
      return { code: 'o', stream: event.stream, data: event.data };
    case 'resize':
      return { code: 'r', columns: event.columns, rows: event.rows };
    case 'exit':
      return { code: 'x', status: event.status };
    case 'truncated':
      return { code: 'truncated', afterBytes: event.afterBytes };
    case 'omitted':
      return { code: 'omitted', reason: event.reason, fromMs: event.fromMs, bytes: event.bytes };
    case 'input':
    case 'marker':
    case 'tick':
      return undefined;
  }
}

/** After the last event: a segment grows old in this, and a command that was typed is told of. */
const settleMs = 15_000;
const nothingPending: PendingLine = {
  text: '',
  below: '',
  prompt: '',
  confidence: 'low',
  state: 'none',
  echoed: false,
  typed: undefined,
};
