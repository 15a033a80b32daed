/** Message numbers of RFC 4250 §4.1.2, RFC 8308 and OpenSSH's PROTOCOL file. */
export const MessageNumber = {
  disconnect: 1,
  ignore: 2,
  unimplemented: 3,
  debug: 4,
  serviceRequest: 5,
  serviceAccept: 6,
  extInfo: 7,
  kexInit: 20,
  newKeys: 21,
  kexEcdhInit: 30,
  kexEcdhReply: 31,
  userauthRequest: 50,
  userauthFailure: 51,
  userauthSuccess: 52,
  userauthBanner: 53,
  /** Also PASSWD_CHANGEREQ and PK_OK: the meaning follows from the method in progress. */
  userauthInfoRequest: 60,
  userauthPkOk: 60,
  userauthInfoResponse: 61,
  globalRequest: 80,
  requestSuccess: 81,
  requestFailure: 82,
  channelOpen: 90,
  channelOpenConfirmation: 91,
  channelOpenFailure: 92,
  channelWindowAdjust: 93,
  channelData: 94,
  channelExtendedData: 95,
  channelEof: 96,
  channelClose: 97,
  channelRequest: 98,
  channelSuccess: 99,
  channelFailure: 100,
  /** ping@openssh.com, OpenSSH PROTOCOL §1.8. */
  ping: 192,
  pong: 193,
} as const;

/** Reason codes of SSH_MSG_DISCONNECT, RFC 4253 §11.1. */
export const DisconnectReason = {
  hostNotAllowedToConnect: 1,
  protocolError: 2,
  keyExchangeFailed: 3,
  macError: 5,
  serviceNotAvailable: 7,
  protocolVersionNotSupported: 8,
  hostKeyNotVerifiable: 9,
  connectionLost: 10,
  byApplication: 11,
  tooManyConnections: 12,
  noMoreAuthMethodsAvailable: 14,
} as const;

/** Reason codes of SSH_MSG_CHANNEL_OPEN_FAILURE, RFC 4254 §5.1. */
export const OpenFailureReason = {
  administrativelyProhibited: 1,
  connectFailed: 2,
  unknownChannelType: 3,
  resourceShortage: 4,
} as const;
