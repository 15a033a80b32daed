import type { EndReason } from '#core/event';
import { durationText, type SessionRules, strictestRules } from '#core/policy';

export type SessionLimits = {
  /** The session keeps to these, too; of each kind the strictest holds. */
  heed(rules: SessionRules): void;
  /** The engineer sent something. */
  touch(): void;
  end(): void;
};

export type SessionLimitsOptions = {
  readonly startedAtMs: number;
  readonly now: () => number;
  /** Says something on the engineer's terminals. */
  readonly notice: (text: string) => void;
  readonly stop: (order: { readonly endReason: EndReason; readonly message: string }) => void;
};

/** People get this long to save what they do. */
const warningMs = 5 * 60_000;

/** Ends a session that nobody types in, or that has lasted as long as it may. Without such a rule there is no timer. */
export function createSessionLimits({ startedAtMs, now, notice, stop }: SessionLimitsOptions): SessionLimits {
  let rules: SessionRules = {};
  let lastInputAtMs = startedAtMs;
  let idleTimer: NodeJS.Timeout | undefined;
  let durationTimer: NodeJS.Timeout | undefined;
  let warned = false;
  let ended = false;

  function timer(action: () => void, atMs: number): NodeJS.Timeout {
    return setTimeout(action, Math.max(1, atMs - now())).unref();
  }

  /** Where something was sent meanwhile, it waits for the rest: so a byte costs no timer. */
  function judgeIdle(): void {
    const { idleTimeoutMs } = rules;
    clearTimeout(idleTimer);
    if (ended || idleTimeoutMs === undefined) return;
    if (now() - lastInputAtMs < idleTimeoutMs) {
      idleTimer = timer(judgeIdle, lastInputAtMs + idleTimeoutMs);
      return;
    }
    stop({
      endReason: 'IdleTimeout',
      message: `nothing came from you for ${durationText(idleTimeoutMs)}, which is as long as policy lets a session rest`,
    });
  }

  function judgeDuration(): void {
    const { maxDurationMs } = rules;
    clearTimeout(durationTimer);
    if (ended || maxDurationMs === undefined) return;
    const endsAtMs = startedAtMs + maxDurationMs;
    const leftMs = endsAtMs - now();
    if (leftMs <= 0) {
      stop({
        endReason: 'DurationExceeded',
        message: `the session has lasted ${durationText(maxDurationMs)}, which is as long as policy allows; connect again to go on`,
      });
      return;
    }
    // A session of a few minutes needs nobody to say that it is short.
    if (!warned && maxDurationMs > warningMs && leftMs <= warningMs) {
      warned = true;
      notice(
        `this session ends in ${durationText(Math.ceil(leftMs / 60_000) * 60_000)}: policy allows ${durationText(maxDurationMs)}`,
      );
    }
    durationTimer = timer(judgeDuration, leftMs > warningMs ? endsAtMs - warningMs : endsAtMs);
  }

  return {
    heed(more) {
      const before = rules;
      rules = strictestRules([rules, more]);
      if (rules.idleTimeoutMs !== before.idleTimeoutMs) judgeIdle();
      if (rules.maxDurationMs !== before.maxDurationMs) judgeDuration();
    },
    touch() {
      lastInputAtMs = now();
    },
    end() {
      ended = true;
      clearTimeout(idleTimer);
      clearTimeout(durationTimer);
    },
  };
}
