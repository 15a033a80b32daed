import { setTimeout as delay } from 'node:timers/promises';
import type { AuditDraft } from '#core/contract';
import { executeCommand, type Refusal, type SessionFacts } from '#core/event';
import { commandAction } from '#core/policy';
import type { ChannelName } from '#core/recording';
import type { DataVerdict, HeldVerdict } from '#ssh';
import type { ChannelRecorder, PendingRead } from '../recording/index.ts';
import { type Denial, refusalOf, type SessionAccess } from '../session-access.ts';

/** What the hold of one terminal needs of its session. */
export type HoldOwner = {
  readonly facts: SessionFacts;
  readonly access: Pick<SessionAccess, 'decide' | 'judgesCommands'>;
  readonly now: () => number;
  /** Resolves when the event is durable. */
  record(draft: AuditDraft): Promise<void>;
};

/**
 * Judges the lines of one terminal: the key that would accept one is held until the screen shows what it accepts, and policy has
 * answered. A denied line is taken back with Ctrl-C.
 */
export type CommandHold = {
  /** What becomes of what the client sends. */
  fromClient(data: Buffer): DataVerdict;
  /** Something of the client's went on to the target. */
  typed(): void;
  /** The target showed something. */
  shown(): void;
  /** How long the target took to answer something else than keys. */
  noteRoundTrip(ms: number): void;
  /** The target gave no terminal: what is typed is shown nowhere, so that no line can be judged. */
  noTerminal(): void;
  /** The channel is closed: nothing waits any longer. */
  end(): void;
};

/** CR, LF, Ctrl-O, and Ctrl-D, which a kernel that edits lines accepts one with. */
const mayAccept: ReadonlySet<number> = new Set([0x0d, 0x0a, 0x0f, 0x04]);
const interrupt = Buffer.of(0x03);
/** Beyond the target's own round trip: what a shell takes to draw a line. */
const marginMs = 25;
/** A line editor that draws has paused for so long when it is through. */
const quietMs = 30;
/** The same where the screen does not show yet what was typed. */
const unechoedQuietMs = 250;
/** A shell that was interrupted is back when it has paused for so long. */
const interruptedQuietMs = 60;
/** Round trip of a target that has not answered anything yet. */
const unknownRoundTripMs = 250;
/** Most keys are followed by the echo of an earlier one, so that only the longest of late tells how far the target is. */
const roundTripDecay = 0.99;
/** No line is waited for longer, nor is an answer to it. */
const maxHoldMs = 500;
/** The recording thread that does not answer within this is out of order. */
const maxReadMs = 5000;
/** Between two readings of one line. */
const readAgainMs = 2;
/** What is looked at at once. */
const maxAheadBytes = 4096;

const unreadable: Refusal = {
  errorCode: 'AccessDenied',
  denyReason: 'command-unreadable',
  message: 'policy speaks of commands, and this terminal can no longer be read; open a new session',
};

export function createCommandHold(
  owner: HoldOwner,
  channelId: ChannelName,
  recorder: Pick<ChannelRecorder, 'pendingLine' | 'input'>,
  /** Of the recording. */
  startedAtMs: number,
): CommandHold {
  const { facts, access, now } = owner;
  let roundTripMs: number | undefined;
  /** When the first key went on that nothing was shown after. */
  let unansweredMs: number | undefined;
  let typedAtMs = Number.NEGATIVE_INFINITY;
  let shownAtMs = Number.NEGATIVE_INFINITY;
  /** A line was accepted, or taken back, and the target has to answer that, from so many outputs on. */
  let due: { readonly denied: boolean; readonly atMs: number; readonly outputs: number } | undefined;
  let outputs = 0;
  let hasTerminal = true;
  let ended = false;
  const waiting = new Set<() => void>();

  function wake(): void {
    for (const go of waiting) go();
    waiting.clear();
  }

  /** Until the target shows something, the time is over, or the channel closed. */
  function nextOutput(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(go, Math.min(maxHoldMs, Math.max(1, ms)));
      function go(): void {
        clearTimeout(timer);
        waiting.delete(go);
        resolve();
      }
      waiting.add(go);
      if (ended) go();
    });
  }

  function noteRoundTrip(ms: number): void {
    roundTripMs = Math.min(maxHoldMs, Math.max(ms, 0, (roundTripMs ?? 0) * roundTripDecay));
  }

  /**
   * What follows an accepted line is read by whatever comes then: it goes on when the screen shows what that is. A shell that was
   * interrupted forgets what it was sent until it is back at its prompt, so that has to be drawn.
   */
  function answerInMs(): number {
    if (due === undefined || ended) return 0;
    const isAnswered = outputs > due.outputs;
    if (isAnswered && !due.denied) return 0;
    const answerMs = (roundTripMs ?? unknownRoundTripMs) + marginMs;
    const answerAtMs = isAnswered ? shownAtMs + interruptedQuietMs : due.atMs + answerMs;
    return Math.min(answerAtMs, due.atMs + maxHoldMs) - now();
  }

  async function answered(): Promise<HeldVerdict> {
    const expiry = expiryAfter(maxHoldMs);
    for (let ms = answerInMs(); ms > 0 && !expiry.over; ms = answerInMs()) await nextOutput(ms);
    expiry.stop();
    due = undefined;
    return { bytes: 0 };
  }

  function expiryAfter(ms: number): { readonly over: boolean; stop(): void } {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      wake();
    }, ms);
    return {
      get over() {
        return over;
      },
      stop: () => clearTimeout(timer),
    };
  }

  async function judge(ahead: Buffer): Promise<HeldVerdict> {
    const heldAtMs = now();
    const expiry = expiryAfter(maxHoldMs);
    try {
      for (;;) {
        const before = outputs;
        const read = hasTerminal ? await readLine(recorder, ahead) : undefined;
        if (read === undefined) return await deny(undefined, unreadable);
        const [first] = read.acceptKeys;
        if (first === undefined) return { bytes: ahead.length };
        if (first > 0) return { bytes: first };
        const waitMs = patienceMs(read.line, heldAtMs);
        if (waitMs <= 0 || expiry.over || ended) return await settle(read);
        if (outputs === before) await nextOutput(waitMs);
        await delay(readAgainMs);
      }
    } finally {
      expiry.stop();
    }
  }

  /** How much longer the line may still change without another key. */
  function patienceMs(line: PendingRead['line'], heldAtMs: number): number {
    const { state, text, echoed, confidence } = line;
    if (echoed || state === 'none' || (state === 'alt' && text === '')) return 0;
    const answerMs = (roundTripMs ?? unknownRoundTripMs) + marginMs;
    // A target that is slow to answer pauses longer, too, before it is through.
    const pauseMs = Math.max(quietMs, roundTripMs ?? 0);
    const isLate = confidence === 'low' || shownAtMs < typedAtMs;
    const sinceKeyMs = typedAtMs + Math.max(answerMs, isLate ? unechoedQuietMs : 0);
    const sinceOutputMs = shownAtMs + (isLate ? unechoedQuietMs : pauseMs);
    return Math.min(Math.max(sinceKeyMs, sinceOutputMs), heldAtMs + maxHoldMs) - now();
  }

  async function settle(read: PendingRead): Promise<HeldVerdict> {
    const denial = denialOf(access, read.line);
    if (denial !== undefined) return await deny(read, refusalOf(denial));
    if (read.line.state !== 'alt') due = { denied: false, atMs: now(), outputs };
    return { bytes: 1 };
  }

  async function deny(read: PendingRead | undefined, refused: Refusal): Promise<HeldVerdict> {
    await owner.record(
      executeCommand(facts, now(), {
        channelId,
        command: read?.hidden.trim() ?? '',
        commandSource: 'pty',
        confidence: read?.line.confidence ?? 'low',
        pty: true,
        line: { recordingSecond: (now() - startedAtMs) / 1000 },
        refused,
      }),
    );
    recorder.input(interrupt);
    typedAtMs = now();
    due = { denied: true, atMs: typedAtMs, outputs };
    return {
      bytes: 1,
      onward: interrupt,
      notice: `sshtrail: ${refused.message} (session ${facts.sessionId})`,
    };
  }

  return {
    fromClient(data) {
      if (!access.judgesCommands()) return 'pass';
      if (answerInMs() > 0) return { kind: 'hold', pass: 0, until: answered() };
      due = undefined;
      const at = data.findIndex((byte) => mayAccept.has(byte));
      if (at < 0) return 'pass';
      const ahead = Buffer.from(data.subarray(at, at + maxAheadBytes));
      // What goes on before it is to be seen before it is judged.
      return { kind: 'hold', pass: at, until: Promise.resolve().then(() => judge(ahead)) };
    },
    typed() {
      typedAtMs = now();
      unansweredMs ??= typedAtMs;
    },
    shown() {
      outputs += 1;
      shownAtMs = now();
      if (unansweredMs !== undefined) noteRoundTrip(shownAtMs - unansweredMs);
      unansweredMs = undefined;
      wake();
    },
    noteRoundTrip,
    noTerminal() {
      hasTerminal = false;
    },
    end() {
      ended = true;
      wake();
    },
  };
}

/** Undefined where nobody can tell what the line is. */
async function readLine(
  recorder: Pick<ChannelRecorder, 'pendingLine'>,
  ahead: Buffer,
): Promise<PendingRead | undefined> {
  const given = new AbortController();
  const late = delay(maxReadMs, undefined, { signal: given.signal }).catch(() => undefined);
  const read = recorder.pendingLine(ahead).catch(() => undefined);
  const first = await Promise.race([read, late]);
  given.abort();
  return first;
}

/**
 * What is shown is judged. What was typed at a shell, or ahead of it, and is not shown yet is only looked at for what is forbidden, since
 * it may be shown otherwise; what was typed at anything else may be a secret.
 */
function denialOf(access: HoldOwner['access'], line: PendingRead['line']): Denial | undefined {
  const text = runningText(line.text);
  if (text !== '') {
    const decision = access.decide(commandAction('command', text));
    if (!decision.allowed) return decision;
  }
  const typed = runningText(line.typed ?? '');
  if (line.echoed || typed === '' || typed === text) return undefined;
  const decision = access.decide(commandAction('command', typed));
  return decision.allowed || decision.reason === 'no-policy-allows' ? undefined : decision;
}

/** A backslash at the end of a line makes one line of two. */
function runningText(text: string): string {
  return text.replaceAll('\\\n', '').trim();
}
