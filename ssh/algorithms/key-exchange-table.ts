import { AlgorithmError } from './algorithm-error.ts';
import { curve25519, nistCurve } from './elliptic-curve.ts';
import { finiteField } from './finite-field.ts';
import type { KeyExchangeMethod } from './key-exchange-method.ts';
import { mlKem768 } from './ml-kem-768.ts';
import { sntrup761 } from './sntrup761.ts';
import { x25519Hybrid } from './x25519-hybrid.ts';

const methods: ReadonlyMap<string, KeyExchangeMethod> = new Map([
  ['mlkem768x25519-sha256', x25519Hybrid(mlKem768, 'sha256')],
  ['sntrup761x25519-sha512', x25519Hybrid(sntrup761, 'sha512')],
  ['sntrup761x25519-sha512@openssh.com', x25519Hybrid(sntrup761, 'sha512')],
  ['curve25519-sha256', curve25519],
  ['curve25519-sha256@libssh.org', curve25519],
  ['ecdh-sha2-nistp256', nistCurve('prime256v1', 65, 'sha256')],
  ['ecdh-sha2-nistp384', nistCurve('secp384r1', 97, 'sha384')],
  ['ecdh-sha2-nistp521', nistCurve('secp521r1', 133, 'sha512')],
  ['diffie-hellman-group14-sha256', finiteField('modp14', 'sha256')],
  ['diffie-hellman-group16-sha512', finiteField('modp16', 'sha512')],
  ['diffie-hellman-group18-sha512', finiteField('modp18', 'sha512')],
]);

/** @throws AlgorithmError `unknown-algorithm`. */
export function keyExchangeNamed(name: string): KeyExchangeMethod {
  const found = methods.get(name);
  if (found === undefined)
    throw new AlgorithmError('unknown-algorithm', `no key exchange method is called ${name}`);
  return found;
}
