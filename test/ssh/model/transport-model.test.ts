import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modernAlgorithms } from '../../../ssh/algorithms/index.ts';
import type { TransportEnd } from '../../../ssh/transport/contract.ts';
import { createTransport, type Role } from '../../../ssh/transport/index.ts';
import { DisconnectReason, MessageNumber, WireWriter } from '../../../ssh/wire/index.ts';
import { hostKey } from '../../fuzz/targets/fixed-keys.ts';
import { MemoryLink } from '../../fuzz/targets/memory-link.ts';
import { MutatingPeer, peerIdentification } from '../../fuzz/targets/mutating-peer.ts';
import { turns } from '../../fuzz/targets/session-run.ts';

/** What a peer may do next. Whether it is legal follows from what it did before. */
const stepNames = [
  'due',
  'due',
  'due',
  'due',
  'message',
  'message',
  'ignore',
  'debug',
  'ping',
  'peer rekeys',
  'we rekey',
  'early NEWKEYS',
  'second KEXINIT',
  'key exchange message from nowhere',
  'forged packet',
  'leave',
] as const;
type Step = (typeof stepNames)[number];

type Expected =
  | { readonly kind: 'open' }
  | { readonly kind: 'fault'; readonly codes: readonly number[] }
  | { readonly kind: 'disconnect' };

const algorithms = {
  ...modernAlgorithms,
  keyExchange: ['curve25519-sha256'],
  hostKey: ['ssh-ed25519'],
  mac: ['hmac-sha2-256-etm@openssh.com'],
};
const violation: Expected = { kind: 'fault', codes: [DisconnectReason.protocolError] };
/** A changed length may also be one that cannot be, and then no integrity is checked. */
const forgery: Expected = {
  kind: 'fault',
  codes: [DisconnectReason.macError, DisconnectReason.protocolError],
};
const nothing: Expected = { kind: 'open' };

describe.each<Role>(['server', 'client'])('a %s and a peer that does anything, legal or not', (role) => {
  it('goes on as long as it is legal, and ends with the right reason where it is not, and nothing is delivered behind that', async () => {
    const seen = { legal: 0, illegal: 0, delivered: 0, rekeyed: 0 };

    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...modernAlgorithms.cipher),
        fc.boolean(),
        fc.integer({ min: 0, max: 4 }),
        fc.array(fc.constantFrom(...stepNames), { maxLength: 24 }),
        async (cipher, strict, head, tail) => {
          const run = new ModelRun(role, cipher, strict);
          const steps: readonly Step[] = [...Array.from({ length: head }, () => 'due' as const), ...tail];

          for (const step of steps) await run.take(step);

          const end = await run.finish();
          expect(run.delivered).toEqual(run.sent);
          if (run.expected.kind === 'open') expect(end).toBeUndefined();
          else expect(end?.kind).toBe(run.expected.kind);
          if (run.expected.kind === 'fault') expect(run.expected.codes).toContain(end?.code);
          expect(run.pongs).toBe(run.expected.kind === 'open' ? run.pings : run.pongs);
          seen[run.expected.kind === 'open' ? 'legal' : 'illegal'] += 1;
          seen.delivered += run.delivered.length;
          seen.rekeyed += run.exchanges > 1 ? 1 : 0;
        },
      ),
      { numRuns: 500 },
    );

    // What the runs are for did happen.
    expect(Math.min(seen.legal, seen.illegal, seen.delivered, seen.rekeyed)).toBeGreaterThan(10);
  });
});

/** A transport, its peer, and what the two make of each step by RFC 4253 and OpenSSH's PROTOCOL. */
class ModelRun {
  /** What must have come of it so far. */
  expected: Expected = nothing;
  readonly sent: number[] = [];
  readonly delivered: number[] = [];
  exchanges = 0;
  pings = 0;
  readonly #peer: MutatingPeer;
  readonly #link: MemoryLink;
  readonly #transport: ReturnType<typeof createTransport>;
  readonly #strict: boolean;
  readonly #role: Role;
  #end: TransportEnd | undefined;
  /** Steps of the key exchange that runs; 3 and done is between two of them. */
  #progress = 0;
  /** Something came before KEXINIT, which strict key exchange finds out when that comes. */
  #tainted = false;
  #fill = 0;

  constructor(role: Role, cipher: string, strict: boolean) {
    const own = { ...algorithms, cipher: [cipher] };
    this.#role = role;
    this.#strict = strict;
    this.#peer = new MutatingPeer({
      role: role === 'server' ? 'client' : 'server',
      algorithms: own,
      strict,
      otherIdentification: 'SSH-2.0-model',
    });
    this.#link = new MemoryLink((bytes) => this.#peer.take(bytes));
    this.#transport = createTransport(this.#link, {
      role,
      softwareVersion: 'model',
      algorithms: own,
      hostKeys: [{ privateKey: hostKey }],
      verifyHostKey: () => ({ accepted: true }),
    });
    this.#transport.onMessage = (plain) => this.delivered.push(plain[2] ?? 0);
    void this.#transport.ended.then((end) => {
      this.#end = end;
    });
    this.#link.give(Buffer.from(`${peerIdentification}\r\n`));
  }

  get pongs(): number {
    return this.#peer.received.filter((payload) => payload[0] === MessageNumber.pong).length;
  }

  async take(step: Step): Promise<void> {
    await turns(1);
    const outcome = this.#do(step);
    // The first that ends it is the one that counts.
    if (this.expected.kind === 'open') this.expected = outcome;
    await turns(1);
  }

  async finish(): Promise<TransportEnd | undefined> {
    await turns(3);
    // An exchange that runs holds answers back.
    for (let step = 0; step < 3 && this.expected.kind === 'open'; step += 1) await this.take('due');
    await turns(3);
    const end = this.#end;
    this.#transport.cut(11, 'the run is over', 1);
    this.#link.close();
    return end;
  }

  get #first(): boolean {
    return this.exchanges === 0;
  }

  get #exchanging(): boolean {
    return this.#first || !this.#peer.ready;
  }

  #do(step: Step): Expected {
    switch (step) {
      case 'due':
        return this.#due();
      case 'message':
        return this.#message();
      case 'ignore':
        return this.#idle(new WireWriter().byte(MessageNumber.ignore).string('x').finish());
      case 'debug':
        return this.#idle(
          new WireWriter().byte(MessageNumber.debug).boolean(false).string('x').string('').finish(),
        );
      case 'ping':
        return this.#ping();
      case 'peer rekeys':
        if (!this.#exchanging) this.#begin(() => this.#peer.rekey());
        return nothing;
      case 'we rekey':
        if (!this.#exchanging) this.#begin(() => this.#transport.rekey());
        return nothing;
      case 'early NEWKEYS':
        if (this.#progress === 2 && this.#peer.due() !== undefined) return nothing;
        this.#send(Buffer.of(MessageNumber.newKeys));
        return violation;
      case 'second KEXINIT':
        if (this.#progress === 0 || !this.#exchanging) return nothing;
        this.#send(this.#init());
        return violation;
      case 'key exchange message from nowhere':
        if (this.#exchanging) return nothing;
        this.#send(
          new WireWriter()
            .byte(this.#role === 'server' ? 30 : 31)
            .string('x')
            .finish(),
        );
        return violation;
      case 'forged packet':
        return this.#forge();
      case 'leave':
        this.#send(
          new WireWriter().byte(MessageNumber.disconnect).uint32(11).string('bye').string('').finish(),
        );
        return { kind: 'disconnect' };
    }
  }

  #begin(rekey: () => void): void {
    rekey();
    this.#progress = 0;
  }

  #due(): Expected {
    const due = this.#exchanging ? this.#peer.due() : undefined;
    if (due === undefined) return nothing;
    const { payload } = due;
    this.#send(payload);
    due.sent();
    this.#progress += 1;
    if (payload[0] === MessageNumber.newKeys) this.exchanges += 1;
    return this.#progress === 1 && this.#first && this.#strict && this.#tainted ? violation : nothing;
  }

  /** Legal up to the peer's own KEXINIT, and from its NEWKEYS. */
  #message(): Expected {
    const legal = !this.#exchanging || (!this.#first && this.#progress === 0);
    this.#fill = (this.#fill + 1) & 0xff;
    if (legal && this.expected.kind === 'open') this.sent.push(this.#fill);
    this.#send(Buffer.of(MessageNumber.channelData, this.#fill, 0, 0));
    return legal ? nothing : violation;
  }

  /** In the first exchange strict peers may say nothing of the kind; others may at any time (RFC 4253 §7.1, §11). */
  #idle(payload: Buffer): Expected {
    this.#send(payload);
    if (!this.#first || !this.#strict) return nothing;
    if (this.#progress > 0) return violation;
    this.#tainted = true;
    return nothing;
  }

  /** OpenSSH's PING counts as an ordinary message. */
  #ping(): Expected {
    const legal = !this.#exchanging || (!this.#first && this.#progress === 0);
    if (legal) this.pings += 1;
    this.#send(new WireWriter().byte(MessageNumber.ping).string('x').finish());
    return legal ? nothing : violation;
  }

  #forge(): Expected {
    if (this.#exchanging) return nothing;
    const packet = this.#peer.pack(Buffer.alloc(40, MessageNumber.channelData));
    packet.writeUInt8(packet.readUInt8(packet.length - 1) ^ 1, packet.length - 1);
    this.#link.give(packet);
    return forgery;
  }

  #init(): Buffer {
    return (
      new MutatingPeer({
        role: this.#role === 'server' ? 'client' : 'server',
        algorithms,
        strict: false,
        otherIdentification: 'SSH-2.0-model',
      }).due()?.payload ?? Buffer.of(MessageNumber.kexInit)
    );
  }

  #send(payload: Buffer): void {
    this.#link.give(this.#peer.pack(payload));
  }
}
