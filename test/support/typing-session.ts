import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';

/** An ssh with a terminal, typed at as people do: after the prompt. */
export type TypingSession = {
  /** Waits for the prompt, types keys one by one, or a paste at once. */
  type(keys: string, keyMs?: number): Promise<void>;
  paste(keys: string): Promise<void>;
  /** At once, whatever is shown. */
  send(keys: string): void;
  /** What was shown since the last keys, once it ends with the prompt. */
  prompt(): Promise<string>;
  /** What was shown since the last keys, once it matches. */
  shows(wanted: RegExp): Promise<string>;
  close(): Promise<void>;
};

/** Whoever types is patient, since the machine may be busy. */
const patienceMs = 30_000;

export function startTyping(args: readonly string[], prompt: string): TypingSession {
  const child: ChildProcessWithoutNullStreams = spawn('ssh', args);
  let shown = '';
  child.stdout.on('data', (data: Buffer) => {
    shown += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    shown += data.toString();
  });
  const text = () => stripVTControlCharacters(shown);

  async function until(isThere: () => boolean, what: string): Promise<string> {
    const deadline = Date.now() + patienceMs;
    while (!isThere()) {
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`${what} was not shown: ${JSON.stringify(shown)}`);
      await delay(5);
    }
    return text();
  }
  const atPrompt = () => until(() => text().trimEnd().endsWith(prompt.trimEnd()), 'the prompt');

  return {
    async type(keys, keyMs = 2) {
      await atPrompt();
      shown = '';
      for (const key of keys) {
        child.stdin.write(key);
        await delay(keyMs);
      }
    },
    async paste(keys) {
      await atPrompt();
      shown = '';
      child.stdin.write(keys);
      // The prompt that stands there is not the next one.
      await until(() => shown !== '', 'an echo');
    },
    send(keys) {
      child.stdin.write(keys);
    },
    prompt: atPrompt,
    shows: (wanted) => until(() => wanted.test(text()), String(wanted)),
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    },
  };
}
