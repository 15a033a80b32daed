import type net from 'node:net';
import type { ByteLink, ByteLinkEvents } from './contract.ts';
import { EndTimer } from './end-timer.ts';
import { receiverOf } from './socket-receiver.ts';

/** A link over TCP. Sockets from `connectSocket` and `adoptConnection` read into the shared receive area, others deliver 'data' events. */
export function linkFromSocket(socket: net.Socket): ByteLink {
  return new SocketLink(socket);
}

class SocketLink implements ByteLink {
  readonly #socket: net.Socket;
  readonly #timer = new EndTimer();
  #events: ByteLinkEvents | undefined;
  #paused = false;
  #ending = false;
  #error: Error | undefined;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error = error;
    });
  }

  get pendingBytes(): number {
    const buffered = this.#socket.writableLength;
    if (buffered === 0) return 0;
    // What the kernel took of a write under way shows only here; a private field, and progress is coarser without it.
    const handle: unknown = Reflect.get(this.#socket, '_handle');
    const queued: unknown =
      typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : undefined;
    return typeof queued === 'number' && queued > 0 ? Math.min(queued, buffered) : buffered;
  }

  open(events: ByteLinkEvents): void {
    const socket = this.#socket;
    this.#events = events;
    socket.once('close', () => this.#closed());
    if (socket.closed || socket.destroyed) {
      process.nextTick(() => this.#closed());
      return;
    }
    socket.setNoDelay(true);
    socket.once('end', () => this.#peerEnded());
    const receiver = receiverOf(socket);
    if (receiver === undefined) socket.on('data', (chunk) => this.#receive(chunk));
    else receiver.listen((chunk) => this.#receive(chunk));
    if (!this.#paused) socket.resume();
  }

  write(bytes: Buffer, onTaken: () => void): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) {
      onTaken();
      return;
    }
    let taken = false;
    const takenOnce = (): void => {
      if (taken) return;
      taken = true;
      onTaken();
      if (this.#socket.writableLength === 0) this.#events?.onDrained();
    };
    this.#socket.write(bytes, takenOnce);
    // Nothing buffered means that the kernel has it all: no need to wait for the callback.
    if (this.#socket.writableLength === 0) takenOnce();
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  end(graceMs: number): void {
    if (this.#ending) return;
    this.#ending = true;
    // Unread bytes would turn the close into a reset, which takes our last words with it.
    this.resume();
    this.#socket.end();
    this.#timer.start(
      graceMs,
      () => this.pendingBytes,
      () => this.#socket.destroy(),
    );
  }

  destroy(): void {
    this.#timer.clear();
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): boolean {
    if (this.#ending) return true;
    this.#events?.onBytes(chunk);
    return !this.#paused;
  }

  #peerEnded(): void {
    if (this.#ending) return;
    this.end(lastWordsMs);
    this.#closed();
  }

  #closed(): void {
    const events = this.#events;
    this.#events = undefined;
    if (this.#socket.destroyed) this.#timer.clear();
    events?.onClosed(this.#error);
  }
}

// What is still to be written when the peer has closed its side gets this long without progress.
const lastWordsMs = 2000;
