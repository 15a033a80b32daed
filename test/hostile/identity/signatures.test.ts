import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generatePrivateKey } from '#ssh';
import type { Transport } from '../../../ssh/transport/index.ts';
import { MessageNumber } from '../../../ssh/wire/index.ts';
import { interactiveRequest, keyQuery, signedRequest } from '../../ssh/authentication/userauth-payload.ts';
import { type Stack, startStack } from '../../support/stack.ts';
import { connectEncrypted, untilWithin } from '../attacker.ts';
import { openSession, serviceRequest } from '../messages.ts';

const promptlyMs = 15_000;
let stack: Stack;
let user: string;

beforeAll(async () => {
  stack = await startStack();
  user = `${stack.login}@web-1`;
});

afterAll(async () => {
  await stack?.close();
});

/** A client that has asked for authentication, and the numbers of the messages that came. */
async function connected(): Promise<{ readonly transport: Transport; readonly answers: number[] }> {
  const transport = await connectEncrypted(stack.running.gateway.address.port);
  const answers: number[] = [];
  transport.onMessage = (plain) => void answers.push(plain[1] ?? 0);
  transport.send(serviceRequest);
  return { transport, answers };
}

async function answered(answers: readonly number[], count: number): Promise<readonly number[]> {
  const deadline = Date.now() + promptlyMs;
  while (answers.length < count && Date.now() < deadline) await sleep(5);
  return answers.slice(0, count);
}

function signed(sessionId: Buffer, name = user): Buffer {
  const { publicKey } = stack.engineerKey;
  return signedRequest({
    user: name,
    algorithm: 'ssh-ed25519',
    blob: publicKey.blob,
    sessionId,
    sign: (data) => stack.engineerKey.sign(data, 'ssh-ed25519'),
  });
}

const { serviceAccept, userauthFailure, userauthSuccess, userauthPkOk } = {
  serviceAccept: MessageNumber.serviceAccept,
  userauthFailure: MessageNumber.userauthFailure,
  userauthSuccess: MessageNumber.userauthSuccess,
  userauthPkOk: 60,
};

describe('an engineer’s key', () => {
  test('lets in with a signature over this very connection', async () => {
    const { transport, answers } = await connected();

    transport.send(signed(transport.sessionId));

    expect(await answered(answers, 2)).toEqual([serviceAccept, userauthSuccess]);
    transport.disconnect(11, 'done');
  });

  test('that is offered and never signs proves nothing, whatever follows', async () => {
    const { transport, answers } = await connected();

    transport.send(keyQuery(user, 'ssh-ed25519', stack.engineerKey.publicKey.blob));
    expect(await answered(answers, 2)).toEqual([serviceAccept, userauthPkOk]);
    transport.send(openSession(0));
    const end = await untilWithin(promptlyMs, 'the end', transport.ended);

    expect(answers).not.toContain(userauthSuccess);
    expect(end.code).toBe(2);
  });

  test('does not open a channel by a code instead of a signature', async () => {
    const { transport, answers } = await connected();

    transport.send(keyQuery(user, 'ssh-ed25519', stack.engineerKey.publicKey.blob));
    transport.send(interactiveRequest(user));

    expect(await answered(answers, 3)).toEqual([serviceAccept, userauthPkOk, userauthFailure]);
    transport.disconnect(11, 'done');
  });

  test('whose signature was made for another connection proves nothing', async () => {
    const [heard, attacked] = [await connected(), await connected()];

    attacked.transport.send(signed(heard.transport.sessionId));

    expect(await answered(attacked.answers, 2)).toEqual([serviceAccept, userauthFailure]);
    for (const { transport } of [heard, attacked]) transport.disconnect(11, 'done');
  });

  test('whose signature was made for another name proves nothing under this one', async () => {
    const { transport, answers } = await connected();
    const forOther = signed(transport.sessionId, `other-${user}`);
    const renamed = signed(transport.sessionId, user);
    // The signature of the one behind the request of the other.
    const signatureBytes = 4 + forOther.readUInt32BE(forOther.length - 87);
    const mixed = Buffer.concat([
      renamed.subarray(0, renamed.length - signatureBytes),
      forOther.subarray(forOther.length - signatureBytes),
    ]);

    transport.send(mixed);

    expect(await answered(answers, 2)).toEqual([serviceAccept, userauthFailure]);
    transport.disconnect(11, 'done');
  });

  test('ends the connection of whoever changes the name between two requests', async () => {
    const { transport, answers } = await connected();

    transport.send(keyQuery(user, 'ssh-ed25519', stack.engineerKey.publicKey.blob));
    await answered(answers, 2);
    transport.send(signed(transport.sessionId, `other-${user}`));
    const end = await untilWithin(promptlyMs, 'the end', transport.ended);

    expect(answers).not.toContain(userauthSuccess);
    expect(end.description).toContain('the user name or service changed');
  });

  test('is of no use to another key that signs in its name', async () => {
    const other = generatePrivateKey('ed25519');
    const { transport, answers } = await connected();

    transport.send(
      signedRequest({
        user,
        algorithm: 'ssh-ed25519',
        blob: stack.engineerKey.publicKey.blob,
        sessionId: transport.sessionId,
        sign: (data) => other.sign(data, 'ssh-ed25519'),
      }),
    );

    expect(await answered(answers, 2)).toEqual([serviceAccept, userauthFailure]);
    transport.disconnect(11, 'done');
  });
});
