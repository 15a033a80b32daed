import type { AuditWriter, ControlStore, StreamName } from '#core/contract';
import { JournalError } from '#core/journal';
import { fenced } from './batch-store.ts';

export type WriterRegistration = {
  /** Says no more that the writer lives. */
  stop(): Promise<void>;
};

export type WriterRegistrationOptions = {
  readonly control: ControlStore;
  readonly writer: AuditWriter & { readonly stream: StreamName };
  readonly now: () => number;
  readonly heartbeatMs: number;
  /** The writer stops when it could not say for so long that it lives: soon its stream is taken over. */
  readonly silenceMs: number;
  readonly openSinceSeq: () => number;
  readonly nextSeq: () => number;
  readonly onLost: (error: JournalError) => void;
};

/**
 * Registers the writer of a stream and says from time to time that it lives.
 * @throws JournalError `locked` where the stream has a writer
 */
export async function registerWriter(options: WriterRegistrationOptions): Promise<WriterRegistration> {
  const { control, writer, now, heartbeatMs, silenceMs, onLost } = options;
  const { stream } = writer;
  let version = await control.put('writer', stream, writer, { kind: 'absent' });
  if (version === undefined) {
    const there = await control.get('writer', stream);
    throw new JournalError(
      'locked',
      `the stream ${stream} has a writer (${there?.data.proxyId ?? 'gone just now'}); use another name, or let the seal function complete it`,
    );
  }
  let underWay: Promise<void> | undefined;
  let lastFault: unknown;
  let silence = silenceTimer();

  function silenceTimer(): NodeJS.Timeout {
    return setTimeout(() => {
      const reason = lastFault instanceof Error ? lastFault.message : 'the control table did not answer';
      onLost(
        new JournalError(
          'unwritable',
          `${stream} could not say for ${Math.round(silenceMs / 1000)} s that its writer lives (${reason}), and is soon taken over; see to the control table and the role's rights`,
          { cause: lastFault },
        ),
      );
    }, silenceMs).unref();
  }

  async function beat(): Promise<void> {
    const saidAt = silenceTimer();
    const data = { ...writer, heardAtMs: now(), openSinceSeq: options.openSinceSeq() };
    try {
      const next = await control.put('writer', stream, data, { kind: 'version', version: version ?? 1 });
      if (next === undefined) version = await versionOfOwn();
      else {
        version = next;
        clearTimeout(silence);
        silence = saidAt;
        return;
      }
    } catch (error) {
      if (error instanceof JournalError) onLost(error);
      lastFault = error;
    }
    clearTimeout(saidAt);
  }

  /** Whoever takes the stream over removes the item in the end, and never changes it. */
  async function versionOfOwn(): Promise<number> {
    const there = await control.get('writer', stream);
    if (there === undefined || !isSame(there.data, writer)) throw fenced(stream, options.nextSeq());
    return there.version;
  }

  const timer = setInterval(() => {
    underWay ??= beat().finally(() => {
      underWay = undefined;
    });
  }, heartbeatMs).unref();
  return {
    async stop() {
      clearInterval(timer);
      await underWay;
      clearTimeout(silence);
    },
  };
}

function isSame(a: AuditWriter, b: AuditWriter): boolean {
  return a.proxyId === b.proxyId && a.startedAtMs === b.startedAtMs && a.task === b.task;
}
