import type { MemoryTransport } from './memory-transport.ts';

/** Plays one end by hand: sends payloads and takes what comes, one message at a time. */
export type MessagePeer = {
  send(payload: Uint8Array): void;
  /** The next payload; rejects with the reason when the connection ends first. */
  next(): Promise<Buffer>;
};

export function messagePeer(transport: MemoryTransport): MessagePeer {
  const arrived: Buffer[] = [];
  let waiting: { resolve: (payload: Buffer) => void; reject: (error: Error) => void } | undefined;
  let end: Error | undefined;
  transport.onMessage = (plain, payloadLength) => {
    const payload = plain.subarray(1, 1 + payloadLength);
    if (waiting === undefined) arrived.push(payload);
    else waiting.resolve(payload);
    waiting = undefined;
  };
  void (async () => {
    const { code, description } = await transport.ended;
    end = new Error(`ended ${code}: ${description}`);
    waiting?.reject(end);
    waiting = undefined;
  })();
  return {
    send: (payload) => transport.send(payload),
    next: () => {
      const payload = arrived.shift();
      if (payload !== undefined) return Promise.resolve(payload);
      if (end !== undefined) return Promise.reject(end);
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
      });
    },
  };
}
