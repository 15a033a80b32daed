export {
  DATA_OFFSET,
  dataLengthOf,
  EXTENDED_DATA_OFFSET,
  EXTENDED_DATA_STDERR,
  encodeChannelFailure,
  encodeChannelSuccess,
  encodeClose,
  encodeData,
  encodeEof,
  encodeExtendedData,
  encodeWindowAdjust,
  extendedDataLengthOf,
  extendedDataTypeOf,
  recipientChannelOf,
  soleRecipientChannelOf,
  windowAdjustOf,
} from './channel-message.ts';
export {
  decodeChannelOpen,
  decodeOpenConfirmation,
  decodeOpenFailure,
  encodeChannelOpen,
  encodeOpenConfirmation,
  encodeOpenFailure,
} from './channel-open.ts';
export {
  decodeChannelRequest,
  type EncodableChannelRequest,
  encodeChannelRequest,
} from './channel-request.ts';
export { ConnectionError } from './connection-error.ts';
export type {
  ChannelOpen,
  ChannelOpenDetail,
  ChannelRequest,
  ChannelRequestDetail,
  GlobalRequest,
  GlobalRequestDetail,
  Side,
} from './contract.ts';
export {
  decodeBoundPort,
  decodeGlobalRequest,
  encodeGlobalRequest,
  encodeRequestFailure,
  encodeRequestSuccess,
} from './global-request.ts';
