import { parseCertificate } from '../certificate/index.ts';
import { ed25519SecretFields, isPlainText, type PrivateKey } from '../keys/index.ts';
import { WireError, WireReader, WireWriter } from '../wire/index.ts';
import { AgentError } from './agent-error.ts';

/** Message numbers of draft-ietf-sshm-ssh-agent §6.1. */
const failure = 5;
const success = 6;
const requestIdentities = 11;
const identitiesAnswer = 12;
const removeIdentity = 18;
const addConstrained = 25;
/** §6.2. */
const constrainLifetime = 1;

const maxIdentities = 2048;

/** A key or a certificate that the agent offers. */
export type AgentIdentity = { readonly blob: Buffer; readonly comment: string };

export type CertifiedKey = {
  /** Ed25519. */
  readonly privateKey: PrivateKey;
  readonly certificate: Buffer;
  readonly comment: string;
  /** The agent forgets it after so long. */
  readonly lifetimeSeconds: number;
};

export function encodeList(): Buffer {
  return Buffer.of(requestIdentities);
}

export function encodeRemove(blob: Uint8Array): Buffer {
  return new WireWriter().byte(removeIdentity).string(blob).finish();
}

/** A certificate goes in front of the key's fields (OpenSSH PROTOCOL.certkeys, draft §4.1). @throws KeyError for another type of key. */
export function encodeAdd(key: CertifiedKey): Buffer {
  if (!isPlainText(key.comment)) throw new AgentError('protocol', 'a key comment must be one line of text');
  return new WireWriter(2048)
    .byte(addConstrained)
    .string(parseCertificate(key.certificate).type)
    .string(key.certificate)
    .raw(ed25519SecretFields(key.privateKey))
    .string(key.comment)
    .byte(constrainLifetime)
    .uint32(key.lifetimeSeconds)
    .finish();
}

/** @throws AgentError `refused`, `protocol` */
export function readSuccess(answer: Buffer): void {
  if (answer.length === 1 && answer[0] === success) return;
  throw answer[0] === failure
    ? new AgentError('refused', 'the agent refused; see whether it is locked, or takes keys at all')
    : unreadable();
}

/** @throws AgentError `refused`, `protocol` */
export function readIdentities(answer: Buffer): readonly AgentIdentity[] {
  if (answer[0] !== identitiesAnswer) {
    readSuccess(answer);
    throw unreadable();
  }
  try {
    const reader = new WireReader(answer, 1);
    const count = reader.uint32();
    if (count > maxIdentities) throw unreadable();
    const identities: AgentIdentity[] = [];
    while (identities.length < count)
      identities.push({ blob: reader.string(), comment: reader.string().toString('utf8') });
    reader.end();
    return identities;
  } catch (cause) {
    if (cause instanceof WireError) throw unreadable(cause);
    throw cause;
  }
}

function unreadable(cause?: Error): AgentError {
  return new AgentError(
    'protocol',
    'what answers is no ssh-agent; see whether SSH_AUTH_SOCK names one',
    cause === undefined ? {} : { cause },
  );
}
