import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeGlobalRequest, encodeRequestFailure } from '../../../ssh/connection/index.ts';
import { generatePrivateKey, type PrivateKey, parsePublicKey } from '../../../ssh/keys/index.ts';
import { HostKeyRotation } from '../../../ssh/relay/host-key-rotation.ts';
import { WireReader, WireWriter } from '../../../ssh/wire/index.ts';
import { otherGlobal, quiet, relayRig } from './relay-rig.ts';

const first = generatePrivateKey('ed25519');
const second = generatePrivateKey('ed25519');
const stranger = generatePrivateKey('ed25519');
const rsa = generatePrivateKey('rsa-3072');
const none: Buffer = Buffer.alloc(0);
const sessionId = Buffer.alloc(32, 9);
const link = {
  sessionId,
  negotiated: {
    keyExchange: 'none',
    hostKey: 'ssh-ed25519',
    cipherIn: 'none',
    cipherOut: 'none',
    macIn: 'none',
    macOut: 'none',
    strict: true,
  },
};

function blobs(...keys: readonly PrivateKey[]): Buffer {
  const writer = new WireWriter();
  for (const { publicKey } of keys) writer.string(publicKey.blob);
  return writer.finish();
}

function signedText(key: PrivateKey, session: Buffer = sessionId): Buffer {
  return new WireWriter()
    .string('hostkeys-prove-00@openssh.com')
    .string(session)
    .string(key.publicKey.blob)
    .finish();
}

function signatures(reply: Buffer): Buffer[] {
  const reader = new WireReader(reply, 1);
  const found: Buffer[] = [];
  while (reader.remaining > 0) found.push(reader.string());
  return found;
}

function proofRequest(...keys: readonly PrivateKey[]): Buffer {
  return encodeGlobalRequest({
    type: 'hostkeys-prove-00@openssh.com',
    wantReply: true,
    detail: { kind: 'other', data: blobs(...keys) },
  });
}

describe('through the relay', () => {
  test('the client is told every host key, and nothing is wanted back', async () => {
    const rig = relayRig({ hostKeys: [first, second] });

    const announcement = await rig.client.takeOne();

    expect(announcement).toEqual(
      encodeGlobalRequest({
        type: 'hostkeys-00@openssh.com',
        wantReply: false,
        detail: { kind: 'other', data: blobs(first, second) },
      }),
    );
    expect(rig.target.received).toEqual([]);
  });

  test("keys asked about are proved in their order, bound to the client's own connection", async () => {
    const rig = relayRig({ hostKeys: [first, second] });
    await rig.client.take();

    rig.client.send(proofRequest(second, first));
    const reply = await rig.client.takeOne();

    const [ofSecond, ofFirst] = signatures(reply);
    const session = rig.clientLeg.sessionId;
    expect(second.publicKey.verify(signedText(second, session), ofSecond ?? none).valid).toBe(true);
    expect(first.publicKey.verify(signedText(first, session), ofFirst ?? none).valid).toBe(true);
    expect(first.publicKey.verify(signedText(first, sessionId), ofFirst ?? none).valid).toBe(false);
    expect(rig.target.received).toEqual([]);
  });

  test("the target's keys are not the client's business, nor are ours the target's", async () => {
    const rig = relayRig({ hostKeys: [first] });
    await rig.client.take();

    rig.target.send(otherGlobal('hostkeys-00@openssh.com', false), proofRequest(first));
    await quiet();

    expect(await rig.client.take()).toEqual([]);
    expect(await rig.target.takeOne()).toEqual(encodeRequestFailure());
  });

  test('a client that asks without end costs a few signatures, and keeps its connection', async () => {
    const rig = relayRig({ hostKeys: [first] });
    await rig.client.take();

    rig.client.send(...Array.from({ length: 200 }, () => proofRequest(first)));
    const replies = await rig.client.take();

    expect(replies).toHaveLength(200);
    expect(replies.filter((reply) => reply[0] === 81)).toHaveLength(4);
  });
});

test('without host keys nothing is told and nothing proved', () => {
  const rotation = new HostKeyRotation([]);

  expect(rotation.announcement()).toBeUndefined();
  expect(rotation.prove(blobs(first), link)).toBeUndefined();
});

test.each([
  ['a key that is not ours', blobs(stranger)],
  ['one of ours and one that is not', blobs(first, stranger)],
  ['the same key twice', blobs(first, first)],
  ['no key', Buffer.alloc(0)],
  ['half a key', blobs(first).subarray(0, 20)],
  ['a length beyond the end', Buffer.from('ffffffff', 'hex')],
])('%s is not proved', (_, asked) => {
  expect(new HostKeyRotation([first, second]).prove(asked, link)).toBeUndefined();
});

test.each([
  ['rsa-sha2-256', 'rsa-sha2-256'],
  ['rsa-sha2-512', 'rsa-sha2-512'],
  ['ssh-ed25519', 'rsa-sha2-512'],
])('where %s was agreed on, an RSA key signs with %s', (agreed, expected) => {
  const negotiated = { ...link.negotiated, hostKey: agreed };

  const reply = new HostKeyRotation([rsa]).prove(blobs(rsa), { sessionId, negotiated });

  const signature = signatures(reply ?? Buffer.alloc(1))[0] ?? none;
  expect(new WireReader(signature).string().toString()).toBe(expected);
  expect(parsePublicKey(rsa.publicKey.blob).verify(signedText(rsa), signature).valid).toBe(true);
});

test('any bytes are answered, without a fault', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(new HostKeyRotation([first]).prove(Buffer.from(bytes), link)).toBeUndefined();
    }),
  );
});
