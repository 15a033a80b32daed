import type { PrivateKey } from '../../../ssh/keys/index.ts';
import { WireReader, WireWriter } from '../../../ssh/wire/index.ts';
import { authority, nowSeconds, subject } from './certificates.ts';

export type Handmade = {
  readonly type?: string;
  readonly nonce?: Buffer;
  readonly key?: Buffer;
  readonly kind?: number;
  readonly keyId?: string | Buffer;
  readonly principals?: readonly (string | Buffer)[];
  readonly principalBytes?: Buffer;
  readonly options?: readonly (readonly [string, Buffer])[];
  readonly extensions?: readonly (readonly [string, Buffer])[];
  readonly reserved?: string;
  readonly authorityBlob?: Buffer;
  readonly signWith?: PrivateKey;
  readonly tail?: Buffer;
};

/** A certificate written field by field and signed, with none of the checks that minting has: what a hostile or broken CA makes. */
export function handmade(fields: Handmade = {}): Buffer {
  const key = new WireReader(subject.publicKey.blob);
  key.string();
  const principals = new WireWriter();
  for (const principal of fields.principals ?? ['engineer']) principals.string(principal);
  const signer = fields.signWith ?? authority;
  const signed = new WireWriter()
    .string(fields.type ?? 'ssh-ed25519-cert-v01@openssh.com')
    .string(fields.nonce ?? Buffer.alloc(32, 7))
    .raw(fields.key ?? key.rest())
    .uint64(1n)
    .uint32(fields.kind ?? 1)
    .string(fields.keyId ?? 'a key id')
    .string(fields.principalBytes ?? principals.finish())
    .uint64(BigInt(nowSeconds - 60))
    .uint64(BigInt(nowSeconds + 60))
    .string(optionBytes(fields.options ?? []))
    .string(optionBytes(fields.extensions ?? []))
    .string(fields.reserved ?? '')
    .string(fields.authorityBlob ?? signer.publicKey.blob)
    .finish();
  const signature = signer.sign(signed, signer.publicKey.algorithms[0] ?? 'ssh-ed25519');
  return new WireWriter()
    .raw(signed)
    .string(signature)
    .raw(fields.tail ?? Buffer.alloc(0))
    .finish();
}

/** An option value as it should be: one string inside. */
export function wrapped(value: string): Buffer {
  return new WireWriter().string(value).finish();
}

function optionBytes(options: readonly (readonly [string, Buffer])[]): Buffer {
  const bytes = new WireWriter();
  for (const [name, value] of options) bytes.string(name).string(value);
  return bytes.finish();
}
