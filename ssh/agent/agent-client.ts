import { createConnection, type Socket } from 'node:net';
import { AgentError } from './agent-error.ts';
import {
  type AgentIdentity,
  type CertifiedKey,
  encodeAdd,
  encodeList,
  encodeRemove,
  readIdentities,
  readSuccess,
} from './agent-message.ts';

/** Requests to one ssh-agent, each answered before the next is made. */
export type Agent = {
  list(): Promise<readonly AgentIdentity[]>;
  add(key: CertifiedKey): Promise<void>;
  remove(blob: Uint8Array): Promise<void>;
};

const timeoutMs = 10_000;
/** OpenSSH's own bound for a message. */
const maxAnswerBytes = 256 * 1024;

/** An agent behind a Unix socket. Nothing is opened before the first request. @throws AgentError from each of its functions */
export function agentAt(path: string): Agent {
  return {
    list: async () => readIdentities(await ask(path, encodeList())),
    add: async (key) => readSuccess(await ask(path, encodeAdd(key))),
    remove: async (blob) => readSuccess(await ask(path, encodeRemove(blob))),
  };
}

function ask(path: string, message: Buffer): Promise<Buffer> {
  const socket = createConnection(path);
  const framed = Buffer.alloc(4 + message.length);
  framed.writeUInt32BE(message.length);
  message.copy(framed, 4);
  socket.write(framed);
  return readAnswer(socket).finally(() => {
    socket.destroy();
    // It may have held a private key.
    framed.fill(0);
    message.fill(0);
  });
}

function readAnswer(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const unreachable = (why: string, cause?: Error) =>
      reject(
        new AgentError(
          'unreachable',
          `the ssh-agent does not answer (${why}); start one with ssh-agent, or name its socket in SSH_AUTH_SOCK`,
          cause === undefined ? {} : { cause },
        ),
      );
    socket.setTimeout(timeoutMs, () => unreachable(`nothing for ${timeoutMs / 1000} s`));
    socket.once('error', (error) => unreachable(error.message, error));
    socket.once('close', () => unreachable('it hung up'));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4) return;
      const length = received.readUInt32BE(0);
      if (length === 0 || length > maxAnswerBytes)
        reject(new AgentError('protocol', `an answer of ${length} bytes is none of an ssh-agent`));
      else if (received.length >= 4 + length) resolve(received.subarray(4, 4 + length));
    });
  });
}
