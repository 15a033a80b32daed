import {
  expectMac,
  hostKeyAlgorithmNamed,
  isAuthenticatedCipher,
  keyExchangeNamed,
} from '../algorithms/index.ts';
import type { AlgorithmPreferences, HostKey, TransportLimits, TransportOptions } from './contract.ts';
import { presentableAlgorithms } from './host-key-proof.ts';
import { ownIdentification } from './identification.ts';
import { TransportError } from './transport-error.ts';
import { defaultLimits } from './transport-limits.ts';

/** Options that can be worked with: names known, the role's obligations met. */
export type TransportSettings = {
  readonly options: TransportOptions;
  readonly identification: Buffer;
  /** As a server, reduced to the host keys there are. */
  readonly preferences: AlgorithmPreferences;
  readonly limits: TransportLimits;
};

/** @throws TransportError `bad-options`. */
export function settingsFrom(options: TransportOptions): TransportSettings {
  const { role, algorithms, hostKeys = [], verifyHostKey } = options;
  if (!knownAlgorithms.has(algorithms)) {
    expectKnown(algorithms);
    knownAlgorithms.add(algorithms);
  }
  if (role === 'client' && verifyHostKey === undefined)
    throw new TransportError('bad-options', 'a client must judge host keys; pass verifyHostKey');
  const preferences = role === 'client' ? algorithms : presentable(algorithms, hostKeys);
  for (const [list, names] of Object.entries(preferences)) {
    if (names.length === 0)
      throw new TransportError(
        'bad-options',
        `no usable ${list} name is left; check the algorithms and host keys`,
      );
  }
  return {
    options,
    identification: ownIdentification(options.softwareVersion),
    preferences,
    limits: { ...defaultLimits, ...options.limits },
  };
}

// A gateway's connections share both objects: what follows from them is worked out once.
const knownAlgorithms = new WeakSet<AlgorithmPreferences>();
const reduced = new WeakMap<readonly HostKey[], WeakMap<AlgorithmPreferences, AlgorithmPreferences>>();

/** The preferences reduced to what these host keys can be presented under; both must stay as they are. */
function presentable(algorithms: AlgorithmPreferences, hostKeys: readonly HostKey[]): AlgorithmPreferences {
  const known = reduced.get(hostKeys)?.get(algorithms);
  if (known !== undefined) return known;
  const made = { ...algorithms, hostKey: presentableAlgorithms(algorithms.hostKey, hostKeys) };
  const forKeys = reduced.get(hostKeys) ?? new WeakMap<AlgorithmPreferences, AlgorithmPreferences>();
  reduced.set(hostKeys, forKeys.set(algorithms, made));
  return made;
}

function expectKnown(algorithms: AlgorithmPreferences): void {
  try {
    for (const name of algorithms.keyExchange) keyExchangeNamed(name);
    for (const name of algorithms.hostKey) hostKeyAlgorithmNamed(name);
    for (const name of algorithms.cipher) isAuthenticatedCipher(name);
    for (const name of algorithms.mac) expectMac(name);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new TransportError('bad-options', `${message}; remove it from the preferences`, { cause });
  }
}
