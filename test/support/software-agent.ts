import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { WireReader, WireWriter } from '../../ssh/wire/index.ts';

/** A key that the agent offers: its blob, or a certificate's, and what signs for it. */
export type AgentIdentity = {
  readonly blob: Buffer;
  readonly comment: string;
  /** Returns the whole SSH signature blob. */
  readonly sign: (data: Buffer) => Buffer;
};

export type SoftwareAgent = {
  readonly socket: string;
  /** How often it signed. */
  readonly signatures: () => number;
  stop(): Promise<void>;
};

/** draft-ietf-sshm-ssh-agent: the messages that ssh sends to log in. */
const failure = 5;
const requestIdentities = 11;
const identitiesAnswer = 12;
const signRequest = 13;
const signResponse = 14;

/** An ssh-agent on a Unix socket with keys in software, such as security keys that no device is behind. */
export async function startSoftwareAgent(
  path: string,
  identities: readonly AgentIdentity[],
): Promise<SoftwareAgent> {
  let signatures = 0;
  const sockets = new Set<Socket>();
  const answer = (message: Buffer): Buffer => {
    const reader = new WireReader(message);
    const type = reader.byte();
    if (type === requestIdentities) {
      const list = new WireWriter().byte(identitiesAnswer).uint32(identities.length);
      for (const { blob, comment } of identities) list.string(blob).string(comment);
      return list.finish();
    }
    if (type !== signRequest) return Buffer.of(failure);
    const wanted = reader.string();
    const data = reader.string();
    const identity = identities.find(({ blob }) => blob.equals(wanted));
    if (identity === undefined) return Buffer.of(failure);
    signatures += 1;
    return new WireWriter().byte(signResponse).string(identity.sign(data)).finish();
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    let pending: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readUInt32BE(0)) {
        const end = 4 + pending.readUInt32BE(0);
        socket.write(new WireWriter().string(answer(pending.subarray(4, end))).finish());
        pending = pending.subarray(end);
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    socket: path,
    signatures: () => signatures,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(path, { force: true });
    },
  };
}
