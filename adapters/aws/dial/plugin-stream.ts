import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { Duplex } from 'node:stream';
import { printable } from '#core/wording';
import { DialError } from './dial-error.ts';

export type PluginStreamOptions = {
  readonly child: ChildProcessWithoutNullStreams;
  readonly signal: AbortSignal;
  /** Is never repeated to anybody, whatever the plugin says. */
  readonly secret: string;
  /** Called once, when the process is gone. */
  readonly onGone: () => void;
};

const maxSaidBytes = 16 * 1024;
const maxToldCharacters = 300;
/** From the polite signal to the other one. */
const graceMs = 1_000;

/**
 * What a process reads and writes, as one stream; each direction is paused while the other side of it does not keep up. The stream ends
 * when the process has ended well, and breaks with its words where it has not. The process ends when the stream is destroyed.
 */
export function pluginStream({ child, signal, secret, onGone }: PluginStreamOptions): Duplex {
  const { stdin, stdout } = child;
  const said = wordsOf(child, secret);
  const stream = new Duplex({
    // A session of which one direction is over is over.
    allowHalfOpen: false,
    read: () => void stdout.resume(),
    write(chunk: Buffer, _encoding, done) {
      // Where it cannot be written the process ends, and that is told with what the process said.
      stdin.write(chunk, (error) => (error === null || error === undefined ? done() : stop(child)));
    },
    final(done) {
      stdin.end(() => done());
    },
    destroy(error, done) {
      signal.removeEventListener('abort', abort);
      stop(child);
      stdin.destroy();
      stdout.destroy();
      done(error);
    },
  });
  const abort = () => void stream.destroy();
  stdin.on('error', () => stop(child));
  stdout.on('error', () => stop(child));
  stdout.on('data', (chunk: Buffer) => {
    if (!stream.push(chunk)) stdout.pause();
  });
  child.on('error', () => stop(child));
  child.once('close', (code, killedBy) => {
    onGone();
    if (stream.destroyed) return;
    if (code === 0) stream.push(null);
    else stream.destroy(brokenBy(killedBy ?? String(code), said()));
  });
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return stream;
}

function brokenBy(how: string, words: string): DialError {
  return new DialError(
    'broken',
    `the session manager plugin ended with ${how}: ${words === '' ? 'it said nothing; look at the SSM agent of the instance' : words}`,
  );
}

function stop(child: ChildProcessWithoutNullStreams): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  child.once('exit', () => clearTimeout(timer));
}

/** Collects the beginning of what goes to standard error. */
function wordsOf(child: ChildProcessWithoutNullStreams, secret: string): () => string {
  let text = '';
  let whole = true;
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    whole &&= text.length + chunk.length <= maxSaidBytes;
    text = `${text}${chunk}`.slice(0, maxSaidBytes);
  });
  return () => {
    const open = text.replaceAll(secret, '(token)');
    // The end of a text that was cut may be the beginning of the secret.
    const safe = whole ? open : open.slice(0, -secret.length);
    return printable(safe.replace(/\s+/g, ' ').trim()).slice(0, maxToldCharacters);
  };
}
