import { MessageNumber, WireWriter } from '../wire/index.ts';
import { ConnectionError } from './connection-error.ts';

/** RFC 4254 §5.2 SSH_EXTENDED_DATA_STDERR. */
export const EXTENDED_DATA_STDERR = 1;

/**
 * Bytes of message number, recipient channel and data length in front of the data of CHANNEL_DATA.
 * CHANNEL_EXTENDED_DATA has the data type on top.
 */
export const DATA_OFFSET = 9;
export const EXTENDED_DATA_OFFSET = 13;

/*
 * The readers below are for the path every data packet takes: they read straight out of `bytes`, where a payload of
 * `length` bytes begins at `start`, and allocate nothing.
 */

/**
 * The recipient channel of messages 91 to 100.
 *
 * @throws ConnectionError
 */
export function recipientChannelOf(bytes: Buffer, start: number, length: number): number {
  if (length < 5 || start + length > bytes.length) throw shortMessage();
  return bytes.readUInt32BE(start + 1);
}

/**
 * How many bytes of data a CHANNEL_DATA carries; they begin DATA_OFFSET behind `start`.
 *
 * @throws ConnectionError
 */
export function dataLengthOf(bytes: Buffer, start: number, length: number): number {
  return countedData(bytes, start, length, DATA_OFFSET);
}

/**
 * How many bytes of data a CHANNEL_EXTENDED_DATA carries; they begin EXTENDED_DATA_OFFSET behind `start`.
 *
 * @throws ConnectionError
 */
export function extendedDataLengthOf(bytes: Buffer, start: number, length: number): number {
  return countedData(bytes, start, length, EXTENDED_DATA_OFFSET);
}

/** The data type code of a CHANNEL_EXTENDED_DATA whose length was checked. */
export function extendedDataTypeOf(bytes: Buffer, start: number): number {
  return bytes.readUInt32BE(start + 5);
}

/**
 * The bytes to add of a CHANNEL_WINDOW_ADJUST.
 *
 * @throws ConnectionError
 */
export function windowAdjustOf(bytes: Buffer, start: number, length: number): number {
  if (length !== 9 || start + length > bytes.length) throw shortMessage();
  return bytes.readUInt32BE(start + 5);
}

/**
 * CHANNEL_EOF, CLOSE, SUCCESS and FAILURE, which carry the recipient channel alone.
 *
 * @throws ConnectionError
 */
export function soleRecipientChannelOf(bytes: Buffer, start: number, length: number): number {
  if (length !== 5)
    throw new ConnectionError('malformed', 'a channel message has bytes behind its last field');
  return recipientChannelOf(bytes, start, length);
}

export function encodeWindowAdjust(recipientChannel: number, bytesToAdd: number): Buffer {
  return new WireWriter(9)
    .byte(MessageNumber.channelWindowAdjust)
    .uint32(recipientChannel)
    .uint32(bytesToAdd)
    .finish();
}

export function encodeData(recipientChannel: number, data: Uint8Array): Buffer {
  return new WireWriter(DATA_OFFSET + data.length)
    .byte(MessageNumber.channelData)
    .uint32(recipientChannel)
    .string(data)
    .finish();
}

export function encodeExtendedData(recipientChannel: number, dataType: number, data: Uint8Array): Buffer {
  return new WireWriter(EXTENDED_DATA_OFFSET + data.length)
    .byte(MessageNumber.channelExtendedData)
    .uint32(recipientChannel)
    .uint32(dataType)
    .string(data)
    .finish();
}

export function encodeEof(recipientChannel: number): Buffer {
  return encodeRecipient(MessageNumber.channelEof, recipientChannel);
}

export function encodeClose(recipientChannel: number): Buffer {
  return encodeRecipient(MessageNumber.channelClose, recipientChannel);
}

export function encodeChannelSuccess(recipientChannel: number): Buffer {
  return encodeRecipient(MessageNumber.channelSuccess, recipientChannel);
}

export function encodeChannelFailure(recipientChannel: number): Buffer {
  return encodeRecipient(MessageNumber.channelFailure, recipientChannel);
}

function encodeRecipient(message: number, recipientChannel: number): Buffer {
  return new WireWriter(5).byte(message).uint32(recipientChannel).finish();
}

function countedData(bytes: Buffer, start: number, length: number, header: number): number {
  if (length < header || start + length > bytes.length) throw shortMessage();
  const counted = bytes.readUInt32BE(start + header - 4);
  if (counted !== length - header)
    throw new ConnectionError('malformed', 'the data of a channel does not fill its message');
  return counted;
}

function shortMessage(): ConnectionError {
  return new ConnectionError('malformed', 'a channel message is of the wrong length');
}
