import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import {
  type SSMClient,
  StartSessionCommand,
  type StartSessionCommandOutput,
  TerminateSessionCommand,
} from '@aws-sdk/client-ssm';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';
import { DialError } from './dial-error.ts';

export type SsmDialOptions = {
  readonly client: SSMClient;
  /** The program, as the PATH finds it: session-manager-plugin. */
  readonly plugin: string;
  readonly instanceId: string;
  readonly port: number;
  readonly region: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
};

/** Name of the variable the plugin reads the session from, so that its token is on no command line (plugin 1.2.497 and later). */
const responseVariable = 'AWS_SSM_START_SESSION_RESPONSE';
const maxStderrBytes = 4096;

/**
 * A byte stream to a port of an instance through Session Manager, by the plugin that AWS's own command line uses: it is started with
 * the session in its environment, and its standard input and output are the stream. Ends the session when the stream ends.
 * @throws DialError `no-session`, `no-plugin`
 */
export async function openSsmDial(options: SsmDialOptions): Promise<Duplex> {
  const { client, plugin, instanceId, region, signal } = options;
  const session = await startSession(options);
  const end = () => endSession(client, session.SessionId);
  let child: ChildProcessWithoutNullStreams;
  try {
    signal.throwIfAborted();
    child = await spawned(plugin, pluginArguments(options), {
      ...process.env,
      [responseVariable]: JSON.stringify({
        SessionId: session.SessionId,
        TokenValue: session.TokenValue,
        StreamUrl: session.StreamUrl,
      }),
    });
  } catch (cause) {
    await end();
    if (!isMissing(cause)) throw cause;
    throw new DialError(
      'no-plugin',
      `${plugin} is not here, and ${instanceId} in ${region} can be reached by it only; build the image with sessionManagerPlugin in sshtrail.config.ts`,
      { cause },
    );
  }
  return streamOf(child, signal, end);
}

async function startSession(options: SsmDialOptions): Promise<StartSessionCommandOutput> {
  const limits: AttemptLimits = { deadlineMs: options.timeoutMs, attemptMs: options.timeoutMs };
  try {
    return await attempt(limits, (abortSignal) =>
      options.client.send(
        new StartSessionCommand({
          Target: options.instanceId,
          DocumentName: 'AWS-StartSSHSession',
          Parameters: { portNumber: [String(options.port)] },
        }),
        { abortSignal: AbortSignal.any([abortSignal, options.signal]) },
      ),
    );
  } catch (cause) {
    const reason =
      cause instanceof Error && cause.name === 'TargetNotConnected'
        ? 'its SSM agent is not connected; look at the agent, its role and its way to Systems Manager'
        : awsFaultWords('Systems Manager', 'ssm:StartSession', cause);
    throw new DialError('no-session', `no session to ${options.instanceId} could be started: ${reason}`, {
      cause,
    });
  }
}

/** As the AWS command line calls it: response or its variable, region, operation, profile, request, endpoint. */
function pluginArguments({ instanceId, port, region }: SsmDialOptions): readonly string[] {
  const request = {
    Target: instanceId,
    DocumentName: 'AWS-StartSSHSession',
    Parameters: { portNumber: [String(port)] },
  };
  return [
    responseVariable,
    region,
    'StartSession',
    '',
    JSON.stringify(request),
    `https://ssm.${region}.amazonaws.com`,
  ];
}

function spawned(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<ChildProcessWithoutNullStreams> {
  const child = spawn(program, args, { env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      child.removeListener('error', reject);
      resolve(child);
    });
  });
}

function streamOf(
  child: ChildProcessWithoutNullStreams,
  signal: AbortSignal,
  endSession: () => Promise<void>,
): Duplex {
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  const said: Buffer[] = [];
  let saidBytes = 0;
  child.stderr.on('data', (chunk: Buffer) => {
    if (saidBytes < maxStderrBytes) said.push(chunk);
    saidBytes += chunk.length;
  });
  child.on('error', (error) => stream.destroy(error));
  child.once('exit', (code) => {
    if (code === 0 || code === null || stream.destroyed) return;
    const last = Buffer.concat(said).subarray(0, maxStderrBytes).toString('utf8');
    stream.destroy(
      new DialError(
        'broken',
        `the session manager plugin ended with ${code}: ${last
          .replace(/\p{Cc}+/gu, ' ')
          .trim()
          .slice(0, 300)}`,
      ),
    );
  });
  const abort = () => stream.destroy();
  signal.addEventListener('abort', abort, { once: true });
  stream.once('close', () => {
    signal.removeEventListener('abort', abort);
    child.kill('SIGTERM');
    void endSession();
  });
  if (signal.aborted) abort();
  return stream;
}

/** Best effort: Systems Manager ends a session whose stream is gone by itself, only later. */
async function endSession(client: SSMClient, sessionId: string | undefined): Promise<void> {
  if (sessionId === undefined) return;
  try {
    await client.send(new TerminateSessionCommand({ SessionId: sessionId }), {
      abortSignal: AbortSignal.timeout(5_000),
    });
  } catch {
    // The stream is over either way, and nobody is left to be told.
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
