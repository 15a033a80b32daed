import type { TransportEnd } from '../transport/contract.ts';
import { DisconnectReason } from '../wire/index.ts';
import type { RelayEnd } from './contract.ts';
import type { Leg } from './leg.ts';
import { RelayError } from './relay-error.ts';

/** What a leg's peer is told in DISCONNECT (RFC 4253 §11.1). */
export type Farewell = { readonly code: number; readonly description: string };

/** How the relay ends because a leg did, and what the other leg is told. */
export function endOfLeg(
  leg: Leg,
  end: TransportEnd,
): { readonly end: RelayEnd; readonly farewell: Farewell } {
  switch (end.kind) {
    case 'disconnect': {
      const { code } = end;
      const description = end.description || `the ${leg.side} disconnected`;
      // OpenSSH's client says 11 on a normal exit, and the target's log should read as if it had been said to it.
      const told = leg.side === 'client' ? description : `target: ${description}`;
      return { end: { by: leg.side, code, description }, farewell: { code, description: told } };
    }
    case 'local': {
      const farewell = { code: end.code, description: end.description };
      return { end: { by: 'gateway', ...farewell, ...errorOf(end) }, farewell };
    }
    case 'closed': {
      const description = `the ${leg.side} closed the connection`;
      const code = DisconnectReason.connectionLost;
      return { end: { by: leg.side, code, description, ...errorOf(end) }, farewell: { code, description } };
    }
    case 'fault': {
      const description = `the connection to the ${leg.side} failed: ${end.description}`;
      const farewell = { code: DisconnectReason.connectionLost, description };
      return { end: { by: 'fault', code: end.code, description, ...errorOf(end) }, farewell };
    }
  }
}

/** How the relay ends for a fault it found itself, and what each leg is told. */
export function endOfFault(error: RelayError): {
  readonly end: RelayEnd;
  readonly farewells: { readonly client: Farewell; readonly target: Farewell };
} {
  const { side, message } = error;
  if (side === undefined) {
    const farewell = { code: DisconnectReason.byApplication, description: message };
    return {
      end: { by: 'fault', ...farewell, error },
      farewells: { client: farewell, target: farewell },
    };
  }
  const offender = { code: DisconnectReason.protocolError, description: message };
  const other = {
    code: DisconnectReason.byApplication,
    description: side === 'target' ? message : 'the client broke the protocol',
  };
  return {
    end: { by: 'fault', ...offender, error },
    farewells: side === 'client' ? { client: offender, target: other } : { client: other, target: offender },
  };
}

function errorOf(end: TransportEnd): { readonly error?: Error } {
  return end.error === undefined ? {} : { error: end.error };
}
