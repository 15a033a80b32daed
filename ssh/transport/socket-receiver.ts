import type net from 'node:net';
import { readArea } from './receive-area.ts';

/**
 * Receives what a socket made with `onread` reads into the shared area. Bytes that come before anybody listens are
 * kept, and reading stops.
 */
export class SocketReceiver {
  /** Takes a chunk, valid during the call; returns whether to go on reading. */
  #sink: ((chunk: Buffer) => boolean) | undefined;
  #early: Buffer | undefined;
  readonly onread: net.OnReadOpts = {
    buffer: readArea,
    callback: (length) => this.#receive(readArea.subarray(0, length)),
  };

  listen(sink: (chunk: Buffer) => boolean): void {
    this.#sink = sink;
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) sink(early);
  }

  #receive(chunk: Buffer): boolean {
    if (this.#sink !== undefined) return this.#sink(chunk);
    this.#early = Buffer.concat(this.#early === undefined ? [chunk] : [this.#early, chunk]);
    return false;
  }
}

const receivers = new WeakMap<net.Socket, SocketReceiver>();

export function registerReceiver(socket: net.Socket, receiver: SocketReceiver): void {
  receivers.set(socket, receiver);
}

/** Undefined for sockets that were not made here: they deliver by 'data' events. */
export function receiverOf(socket: net.Socket): SocketReceiver | undefined {
  return receivers.get(socket);
}
