import { randomBytes } from 'node:crypto';
import type { PrivateKey, PublicKey } from '#ssh';
import { WireReader, WireWriter } from '../../../ssh/wire/index.ts';

export type Forgery = {
  readonly signedBy: PrivateKey;
  readonly kind?: 'user' | 'host';
  /** As bytes, so that anything may stand there. */
  readonly principals?: readonly (string | Uint8Array)[];
  /** Seconds from now. */
  readonly validFrom?: number;
  readonly validFor?: number;
  readonly criticalOptions?: Readonly<Record<string, string>>;
  readonly extensions?: Readonly<Record<string, string>>;
};

/** A certificate with a good signature over whatever is asked for (OpenSSH PROTOCOL.certkeys): no check of ours stands in its way. */
export function forgeCertificate(publicKey: PublicKey, forgery: Forgery): Buffer {
  const { kind = 'user', principals = ['engineer'], validFrom = -60, validFor = 600 } = forgery;
  const key = new WireReader(publicKey.blob);
  key.string();
  const nowSeconds = Math.floor(Date.now() / 1000);
  const signed = new WireWriter(1024)
    .string('ssh-ed25519-cert-v01@openssh.com')
    .string(randomBytes(32))
    .raw(key.rest())
    .uint64(7n)
    .uint32(kind === 'user' ? 1 : 2)
    .string('forged')
    .string(strings(principals))
    .uint64(BigInt(nowSeconds + validFrom))
    .uint64(BigInt(nowSeconds + validFrom + validFor))
    .string(options(forgery.criticalOptions ?? {}))
    .string(options(forgery.extensions ?? {}))
    .string('')
    .string(forgery.signedBy.publicKey.blob)
    .finish();
  const signature = forgery.signedBy.sign(signed, 'ssh-ed25519');
  return new WireWriter(2048).raw(signed).string(signature).finish();
}

function strings(values: readonly (string | Uint8Array)[]): Buffer {
  const writer = new WireWriter();
  for (const value of values) writer.string(value);
  return writer.finish();
}

function options(values: Readonly<Record<string, string>>): Buffer {
  const writer = new WireWriter();
  for (const name of Object.keys(values).sort()) {
    const value = values[name] ?? '';
    writer.string(name).string(value === '' ? '' : new WireWriter().string(value).finish());
  }
  return writer.finish();
}
