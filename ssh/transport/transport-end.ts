import { CertificateError } from '../certificate/index.ts';
import { KeyError } from '../keys/index.ts';
import { DisconnectReason, WireError, WireReader } from '../wire/index.ts';
import type { TransportEnd } from './contract.ts';
import { printableLine } from './printable-line.ts';
import { disconnectCodeOf, TransportError } from './transport-error.ts';

const MAX_DESCRIPTION = 512;

export function closedEnd(error: Error | undefined): TransportEnd {
  const end = { kind: 'closed', code: DisconnectReason.connectionLost } as const;
  if (error === undefined) return { ...end, description: 'the peer closed the connection' };
  const description = printableLine(`the connection was lost: ${error.message}`, MAX_DESCRIPTION);
  return { ...end, description, error };
}

export function localEnd(code: number, description: string): TransportEnd {
  return { kind: 'local', code, description: printableLine(description, MAX_DESCRIPTION) };
}

/** @throws WireError where the peer's DISCONNECT is malformed. */
export function disconnectEnd(payload: Buffer): TransportEnd {
  const reader = new WireReader(payload, 1);
  const code = reader.uint32();
  const description = printableLine(reader.string().toString('utf8'), MAX_DESCRIPTION);
  return { kind: 'disconnect', code, description };
}

/** Hostile bytes surface as errors of the modules that read them. */
export function faultEnd(error: unknown): TransportEnd {
  const fault = asTransportError(error);
  const description = printableLine(fault.message, MAX_DESCRIPTION);
  return { kind: 'fault', code: disconnectCodeOf(fault.code), description, error: fault };
}

/** What `ready` rejects with. */
export function errorFrom(end: TransportEnd): TransportError {
  switch (end.kind) {
    case 'fault':
      return asTransportError(end.error);
    case 'disconnect':
      return new TransportError('disconnected-by-peer', `the peer disconnected: ${end.description}`);
    case 'closed':
      return new TransportError('connection-closed', end.description, { cause: end.error });
    case 'local':
      return new TransportError('ended-locally', `ended here: ${end.description}`);
  }
}

function asTransportError(error: unknown): TransportError {
  if (error instanceof TransportError) return error;
  if (error instanceof WireError)
    return new TransportError('protocol-violation', error.message, { cause: error });
  if (error instanceof KeyError || error instanceof CertificateError)
    return new TransportError('key-exchange-failed', `the host key is unusable: ${error.message}`, {
      cause: error,
    });
  // What it was stays here: the peer is told this sentence.
  return new TransportError('handler-failed', 'this end failed over a message', { cause: error });
}
