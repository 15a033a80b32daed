import {
  type AlgorithmPreferences,
  type Certificate,
  CertificateError,
  connectSocket,
  createTransport,
  isCertificateType,
  KeyError,
  linkFromSocket,
  type PublicKey,
  parseCertificate,
  parsePublicKey,
  TransportError,
  targetAlgorithms,
} from '#ssh';
import { version } from './version.ts';

/** What a server proved to hold; nobody has vouched for any of it. */
export type ScannedHost = {
  readonly keys: readonly PublicKey[];
  /** Of the certificates it has, the one it shows first. */
  readonly certificate?: Certificate;
};

export type ScanOptions = {
  readonly host: string;
  readonly port: number;
  /** For each connection. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
};

/** One connection for each: a server shows the one key that the client asked for. */
const keyKinds: readonly (readonly string[])[] = [
  ['ssh-ed25519'],
  ['ecdsa-sha2-nistp256'],
  ['ecdsa-sha2-nistp384'],
  ['ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'rsa-sha2-256'],
];

/**
 * The host keys of a server, each of which it signed a key exchange with. Ends every connection before anything else is said.
 * @throws TransportError where the server cannot be asked at all
 */
export async function scanHost(options: ScanOptions): Promise<ScannedHost> {
  const keys: PublicKey[] = [];
  for (const kind of keyKinds) {
    const blob = await shownKey(options, kind);
    const key = blob === undefined ? undefined : readable(() => parsePublicKey(blob));
    if (key !== undefined) keys.push(key);
  }
  const blob = await shownKey(options, targetAlgorithms.hostKey.filter(isCertificateType));
  const certificate = blob === undefined ? undefined : readable(() => parseCertificate(blob));
  return certificate === undefined ? { keys } : { keys, certificate };
}

/** Undefined where the server has no key of that kind that can be used. */
async function shownKey(
  { host, port, timeoutMs, signal }: ScanOptions,
  hostKey: readonly string[],
): Promise<Buffer | undefined> {
  const algorithms: AlgorithmPreferences = { ...targetAlgorithms, hostKey };
  const socket = await connectSocket({ host, port, timeoutMs, signal });
  let shown: Buffer | undefined;
  const transport = createTransport(linkFromSocket(socket), {
    role: 'client',
    softwareVersion: `sshtrail_${version}`,
    algorithms,
    verifyHostKey: (blob) => {
      shown = Buffer.from(blob);
      return { accepted: false, reason: 'it was only asked for' };
    },
    limits: { keyExchangeTimeoutMs: timeoutMs },
  });
  const abort = () => transport.cut(11, 'nobody waits any more');
  signal.addEventListener('abort', abort, { once: true });
  try {
    await transport.ready;
  } catch (error) {
    if (shown === undefined && !isAboutKeys(error)) throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    transport.cut(11, 'the host key was seen');
    await transport.ended;
  }
  return shown;
}

/** It has none of that kind, or one that is too weak to sign with. */
function isAboutKeys(error: unknown): boolean {
  return (
    error instanceof TransportError &&
    (error.code === 'no-common-algorithm' || error.code === 'key-exchange-failed')
  );
}

function readable<Value>(parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof KeyError || error instanceof CertificateError) return undefined;
    throw error;
  }
}
