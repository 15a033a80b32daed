import { printable } from '#core/wording';

/** What is said of something, beside the sentence. Secrets and what people typed have no place here. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One JSON object a line, which the log service reads as fields. */
export type Log = {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** The error's name, code and sentence, and those of its causes; no stack. */
  error(message: string, error: unknown, fields?: LogFields): void;
};

export type LogContext = {
  readonly function: string;
  readonly requestId: string;
  readonly now: () => number;
};

/** A line of the function's log. */
export function writeLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

const maxTextLength = 2_000;
const maxCauses = 4;

/** `write` gets one line, without its end. */
export function createLog(write: (line: string) => void, context: LogContext): Log {
  function say(level: 'info' | 'warn' | 'error', message: string, fields: LogFields): void {
    const at = new Date(context.now()).toISOString();
    const { function: name, requestId } = context;
    const own = { level, message: tame(message), at, requestId: tame(requestId), function: name };
    // What a caller says comes first, so that it cannot take the place of these.
    write(JSON.stringify({ ...tameFields(fields), ...own }));
  }
  return {
    info: (message, fields = {}) => say('info', message, fields),
    warn: (message, fields = {}) => say('warn', message, fields),
    error: (message, error, fields = {}) => say('error', message, { ...fields, ...errorFields(error) }),
  };
}

export type MetricUnit = 'Count' | 'Milliseconds' | 'Seconds' | 'Bytes' | 'None';

/** A line by which the log service counts something (CloudWatch embedded metric format). */
export function metricLine(
  namespace: string,
  name: string,
  value: number,
  unit: MetricUnit,
  dimensions: Readonly<Record<string, string>>,
  nowMs: number,
): string {
  return JSON.stringify({
    ...tameFields(dimensions),
    [name]: value,
    _aws: {
      Timestamp: nowMs,
      CloudWatchMetrics: [
        {
          Namespace: namespace,
          Dimensions: [Object.keys(dimensions)],
          Metrics: [{ Name: name, Unit: unit }],
        },
      ],
    },
  });
}

function errorFields(error: unknown): LogFields {
  const chain: string[] = [];
  let cause: unknown = error instanceof Error ? error.cause : undefined;
  while (cause !== undefined && chain.length < maxCauses) {
    chain.push(cause instanceof Error ? `${cause.name}: ${cause.message}` : typeof cause);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return {
    error: error instanceof Error ? error.name : typeof error,
    errorCode: codeOf(error),
    errorMessage: errorText(error),
    cause: chain.length === 0 ? undefined : chain.join(' <- '),
  };
}

/** What an error says of itself. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : 'something that is no error was thrown';
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function tameFields(fields: LogFields): Record<string, string | number | boolean> {
  const entries = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === 'string' ? tame(value) : value] as const],
  );
  return Object.fromEntries(entries);
}

/** Fit for one line of any log viewer, and no longer than one needs. */
function tame(text: string): string {
  return printable(text.length > maxTextLength ? `${text.slice(0, maxTextLength)}...` : text);
}
