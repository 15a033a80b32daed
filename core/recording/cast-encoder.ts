import { createUtf8Stream, type Utf8Stream } from './utf8-stream.ts';

export type OutputStream = 'stdout' | 'stderr';

/** What is said of the terminal in the first line. Size 0 means not known (RFC 4254 §6.2). */
export type CastHeader = {
  readonly startedAtMs: number;
  readonly columns: number;
  readonly rows: number;
  readonly term: string;
  /** What an exec request asked for. */
  readonly command?: string;
};

/** Input is not among them: keystrokes are never recorded. */
export type CastInput =
  | { readonly code: 'o'; readonly stream: OutputStream; readonly data: Uint8Array }
  | { readonly code: 'r'; readonly columns: number; readonly rows: number }
  | { readonly code: 'm'; readonly label: string }
  | { readonly code: 'x'; readonly status: number }
  /** Nothing of the channel is recorded after this, although it went on. */
  | { readonly code: 'truncated'; readonly afterBytes: number }
  /** A stretch of output that is not in the recording. It ends here; the clock of `fromMs` is that of the events. */
  | {
      readonly code: 'omitted';
      readonly reason: OmissionReason;
      readonly fromMs: number;
      readonly bytes: number;
    };

/** `capped`: over a limit of the recording. `summarised`: bulk output of a terminal, or binary output of a command without one. */
export type OmissionReason = 'capped' | 'summarised';

/**
 * Turns events into lines of an asciicast v3 file (docs.asciinema.org/manual/asciicast/v3). Times are milliseconds since the
 * start; one that goes backwards counts as the one before. The format knows one output stream, so both are `o` events and
 * comment lines, which players skip, keep what it cannot say: `# stderr` before an event of that stream, `# invalid-bytes N`
 * before one in which N bytes were not UTF-8, `# omitted {...}` after a stretch that is left out, `# truncated` where recording stopped.
 */
export type CastEncoder = {
  readonly header: string;
  /** Whole lines, or '' where the event holds nothing to show yet. */
  encode(timeMs: number, event: CastInput): string;
  /** The lines of what was left unfinished. */
  end(timeMs: number): string;
  readonly invalidBytes: number;
  readonly lastTimeMs: number;
};

/** Larger terminals are recorded as this large, so that no recording makes a player allocate without bound. */
const maxTerminalSide = 1000;
const maxLabelLength = 4096;

/** `onOutput` is given the text of each `o` event. */
export function createCastEncoder(header: CastHeader, onOutput?: (text: string) => void): CastEncoder {
  const streams: Record<OutputStream, Utf8Stream> = {
    stdout: createUtf8Stream(),
    stderr: createUtf8Stream(),
  };
  let invalidBytes = 0;
  let lastTimeMs = 0;
  const line = (timeMs: number, code: string, data: string): string => {
    const at = Math.max(lastTimeMs, Math.round(timeMs));
    const seconds = ((at - lastTimeMs) / 1000).toFixed(3);
    lastTimeMs = at;
    return `[${seconds}, "${code}", ${JSON.stringify(data)}]\n`;
  };
  const output = (timeMs: number, stream: OutputStream, part: ReturnType<Utf8Stream['end']>): string => {
    if (part.text === '') return '';
    invalidBytes += part.invalidBytes;
    onOutput?.(part.text);
    const invalid = part.invalidBytes > 0 ? `# invalid-bytes ${part.invalidBytes}\n` : '';
    return `${invalid}${stream === 'stderr' ? '# stderr\n' : ''}${line(timeMs, 'o', part.text)}`;
  };
  const encode = (timeMs: number, event: CastInput): string => {
    switch (event.code) {
      case 'o':
        return output(timeMs, event.stream, streams[event.stream].decode(event.data));
      case 'r':
        if (!(event.columns > 0 && event.rows > 0)) return '';
        return line(timeMs, 'r', `${side(event.columns, 80)}x${side(event.rows, 24)}`);
      case 'm':
        return line(timeMs, 'm', markerLabel(event));
      case 'x':
        return line(timeMs, 'x', String(event.status >>> 0));
      case 'truncated':
        return `# truncated\n${line(timeMs, 'm', markerLabel(event))}`;
      case 'omitted':
        return omission(event) + line(timeMs, 'm', markerLabel(event));
    }
  };
  return {
    header: headerLine(header),
    encode,
    end: (timeMs) =>
      output(timeMs, 'stdout', streams.stdout.end()) + output(timeMs, 'stderr', streams.stderr.end()),
    get invalidBytes() {
      return invalidBytes;
    },
    get lastTimeMs() {
      return lastTimeMs;
    },
  };
}

/** What players show as the chapter an event begins. */
export function markerLabel(event: CastInput & { readonly code: 'm' | 'omitted' | 'truncated' }): string {
  switch (event.code) {
    case 'm':
      return event.label.slice(0, maxLabelLength).toWellFormed();
    case 'omitted':
      return `${event.bytes} bytes are not recorded (${event.reason})`;
    case 'truncated':
      return `recording stopped after ${event.afterBytes} bytes`;
  }
}

/** A terminal's side as recordings state it. */
export function terminalSize(columns: number, rows: number): { columns: number; rows: number } {
  return { columns: side(columns, 80), rows: side(rows, 24) };
}

function side(cells: number, unknown: number): number {
  return cells > 0 ? Math.min(maxTerminalSide, Math.max(1, Math.trunc(cells))) : unknown;
}

function omission({ reason, fromMs, bytes }: CastInput & { readonly code: 'omitted' }): string {
  return `# omitted ${JSON.stringify({ reason, fromMs: Math.max(0, Math.round(fromMs)), bytes })}\n`;
}

function headerLine(header: CastHeader): string {
  const { columns, rows } = terminalSize(header.columns, header.rows);
  const type = header.term.replace(/[^\x21-\x7e]/g, '').slice(0, 64);
  return `${JSON.stringify({
    version: 3,
    term: { cols: columns, rows, ...(type === '' ? {} : { type }) },
    timestamp: Math.floor(header.startedAtMs / 1000),
    ...(header.command === undefined
      ? {}
      : { command: header.command.slice(0, maxLabelLength).toWellFormed() }),
  })}\n`;
}
