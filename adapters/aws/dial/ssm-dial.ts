import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { type SSMClient, StartSessionCommand, TerminateSessionCommand } from '@aws-sdk/client-ssm';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';
import { DialError } from './dial-error.ts';
import { pluginStream } from './plugin-stream.ts';

export type SsmDialOptions = {
  /** Best with `maxAttempts: 1`: calls are repeated here. */
  readonly client: SSMClient;
  /** The program, as the PATH finds it: session-manager-plugin, later than 1.2.497. */
  readonly plugin: string;
  readonly instanceId: string;
  readonly port: number;
  readonly region: string;
  readonly signal: AbortSignal;
  /** For the start of the session. */
  readonly timeoutMs: number;
};

type Session = { readonly SessionId: string; readonly TokenValue: string; readonly StreamUrl: string };

/**
 * AWS's command line hands the session over in this variable, and its name as the first argument, to plugins later than 1.2.497; to older
 * ones as the argument itself, where everybody on the machine can read the token. Here older ones are not supported: they end at once.
 */
const responseVariable = 'AWS_SSM_START_SESSION_RESPONSE';
const terminateMs = 5_000;

/**
 * A byte stream to a port of an instance through Session Manager, by the plugin that AWS's own command line uses: it is started with
 * the session in its environment, and its standard input and output are the stream. Ends the session when the stream ends. The
 * plugin inherits the environment, for it takes up a broken connection with the credentials there.
 * @throws DialError `no-session`, `no-plugin`; the stream breaks with `broken`
 */
export async function openSsmDial(options: SsmDialOptions): Promise<Duplex> {
  const { client, plugin, signal } = options;
  const request = {
    Target: options.instanceId,
    DocumentName: 'AWS-StartSSHSession',
    Parameters: { portNumber: [String(options.port)] },
  };
  const session = await startSession(options, request);
  let child: ChildProcessWithoutNullStreams;
  try {
    if (signal.aborted) throw calledOff(options, signal.reason);
    const endpoint = await endpointOf(client, options.region);
    // As the AWS command line calls it: session, region, operation, profile, request, endpoint.
    const args = [responseVariable, options.region, 'StartSession', '', JSON.stringify(request), endpoint];
    child = await spawned(plugin, args, { ...process.env, [responseVariable]: JSON.stringify(session) });
  } catch (cause) {
    await endSession(client, session.SessionId);
    throw cause instanceof DialError ? cause : notStarted(options, cause);
  }
  return pluginStream({
    child,
    signal,
    secret: session.TokenValue,
    onGone: () => void endSession(client, session.SessionId),
  });
}

async function startSession(
  options: SsmDialOptions,
  request: {
    readonly Target: string;
    readonly DocumentName: string;
    readonly Parameters: Record<string, string[]>;
  },
): Promise<Session> {
  const { client, instanceId, signal, timeoutMs } = options;
  const limits: AttemptLimits = { deadlineMs: timeoutMs, attemptMs: timeoutMs, signal };
  try {
    const { SessionId, TokenValue, StreamUrl } = await attempt(limits, (abortSignal) =>
      client.send(new StartSessionCommand(request), { abortSignal }),
    );
    if (SessionId !== undefined && TokenValue && StreamUrl) return { SessionId, TokenValue, StreamUrl };
    if (SessionId !== undefined) await endSession(client, SessionId);
  } catch (cause) {
    if (signal.aborted) throw calledOff(options, cause);
    const reason =
      cause instanceof Error && cause.name === 'TargetNotConnected'
        ? 'its SSM agent is not connected; look at the agent, its role and its way to Systems Manager'
        : awsFaultWords('Systems Manager', 'ssm:StartSession', cause);
    throw noSession(instanceId, reason, cause);
  }
  throw noSession(instanceId, 'Systems Manager gave a session without a token or an address; try again');
}

function noSession(instanceId: string, reason: string, cause?: unknown): DialError {
  return new DialError('no-session', `no session to ${instanceId} could be started: ${reason}`, { cause });
}

function calledOff({ instanceId }: SsmDialOptions, cause: unknown): DialError {
  return noSession(instanceId, 'it was called off', cause);
}

function notStarted({ plugin, instanceId, region }: SsmDialOptions, cause: unknown): DialError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault';
  const what =
    code === 'ENOENT'
      ? `${plugin} is not here, and ${instanceId} in ${region} can be reached by it only; build the image with sessionManagerPlugin in sshtrail.config.ts`
      : `${plugin} could not be started (${code}), and ${instanceId} in ${region} can be reached by it only; look at the file and at the room for processes`;
  return new DialError('no-plugin', what, { cause });
}

/** Where the plugin asks for the session again after a broken connection; the client's own. */
async function endpointOf({ config }: SSMClient, region: string): Promise<string> {
  const given = await config.endpoint?.();
  if (given !== undefined) {
    const port = given.port === undefined ? '' : `:${given.port}`;
    return `${given.protocol}//${given.hostname}${port}${given.path}`.replace(/\/$/, '');
  }
  const [UseFIPS, UseDualStack] = await Promise.all([
    config.useFipsEndpoint(),
    config.useDualstackEndpoint(),
  ]);
  const { url } = config.endpointProvider({ Region: region, UseFIPS, UseDualStack });
  return url.href.replace(/\/$/, '');
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

/** Best effort: Systems Manager ends a session whose stream is gone by itself, only later. */
async function endSession(client: SSMClient, sessionId: string): Promise<void> {
  try {
    await client.send(new TerminateSessionCommand({ SessionId: sessionId }), {
      abortSignal: AbortSignal.timeout(terminateMs),
    });
  } catch {
    // The stream is over either way, and nobody is left to be told.
  }
}
