import {
  decodeBanner,
  decodeFailure,
  decodeInfoRequest,
  decodeInfoResponse,
  decodeService,
  decodeUserauthRequest,
} from '../../../ssh/authentication/userauth-message.ts';
import {
  ConnectionError,
  decodeBoundPort,
  decodeChannelOpen,
  decodeChannelRequest,
  decodeGlobalRequest,
  decodeOpenConfirmation,
  decodeOpenFailure,
  encodeChannelOpen,
  encodeChannelRequest,
  encodeGlobalRequest,
  encodeOpenConfirmation,
  type Side,
} from '../../../ssh/connection/index.ts';
import { WireError, WireWriter } from '../../../ssh/wire/index.ts';
import { type FuzzTarget, parserTarget } from '../fuzz-target.ts';
import { channelOpens, channelRequests, globalRequests, userauthMessages } from './message-samples.ts';

const sides: readonly Side[] = ['client', 'target'];

const userauth = parserTarget({
  name: 'userauth-message',
  about: 'messages of RFC 4252 and RFC 4256, in both directions',
  starts: () => userauthMessages,
  tokens: [
    'publickey',
    'password',
    'keyboard-interactive',
    'none',
    'ssh-connection',
    'ssh-userauth',
    'ssh-ed25519',
  ],
  family: [WireError],
  parse(input) {
    switch (input[0]) {
      case 50:
        return decodeUserauthRequest(input);
      case 51:
        return decodeFailure(input);
      case 53:
        return decodeBanner(input, 4096);
      case 60:
        return decodeInfoRequest(input, 8);
      case 61:
        return decodeInfoResponse(input, (input[1] ?? 0) % 9);
      default:
        return decodeService(input);
    }
  },
});

const fromSides: readonly FuzzTarget[] = sides.flatMap((side) => [
  parserTarget({
    name: `channel-open-${side}`,
    about: `CHANNEL_OPEN, its confirmation and its failure, from the ${side}`,
    starts: () => channelOpens,
    tokens: [
      'session',
      'direct-tcpip',
      'forwarded-tcpip',
      'x11',
      'auth-agent@openssh.com',
      'direct-streamlocal@openssh.com',
    ],
    family: [ConnectionError],
    parse(input) {
      if (input[0] === 91) return { confirmation: decodeOpenConfirmation(input) };
      if (input[0] === 92) return { failure: decodeOpenFailure(input) };
      return { open: decodeChannelOpen(input, side) };
    },
    encode(value) {
      if (value.open !== undefined) return encodeChannelOpen(value.open);
      if (value.confirmation !== undefined) return encodeOpenConfirmation(value.confirmation);
      const { recipientChannel, reason, message } = value.failure;
      return new WireWriter()
        .byte(92)
        .uint32(recipientChannel)
        .uint32(reason)
        .string(message)
        .string('')
        .finish();
    },
  }),
  parserTarget({
    name: `channel-request-${side}`,
    about: `CHANNEL_REQUEST from the ${side}`,
    starts: () => channelRequests,
    tokens: [
      'pty-req',
      'env',
      'shell',
      'exec',
      'subsystem',
      'x11-req',
      'exit-status',
      'exit-signal',
      'window-change',
    ],
    family: [ConnectionError],
    parse: (input) => decodeChannelRequest(input, side),
    encode({ recipientChannel, request: { detail, ...request } }) {
      // Its cookie is a secret that is not kept, so it cannot be written.
      if (detail.kind === 'x11-req') return undefined;
      return encodeChannelRequest(recipientChannel, { ...request, detail });
    },
  }),
  parserTarget({
    name: `global-request-${side}`,
    about: `GLOBAL_REQUEST from the ${side}, and REQUEST_SUCCESS with a port`,
    starts: () => globalRequests,
    tokens: [
      'tcpip-forward',
      'cancel-tcpip-forward',
      'keepalive@openssh.com',
      'streamlocal-forward@openssh.com',
    ],
    family: [ConnectionError],
    parse: (input) =>
      input[0] === 81 ? { port: decodeBoundPort(input) } : { request: decodeGlobalRequest(input, side) },
    encode: (value) =>
      value.request === undefined
        ? new WireWriter().byte(81).uint32(value.port).finish()
        : encodeGlobalRequest(value.request),
  }),
]);

export const messageTargets: readonly FuzzTarget[] = [userauth, ...fromSides];
