import { isAuthenticatedCipher } from '../algorithms/index.ts';
import { MessageNumber, WireReader, WireWriter } from '../wire/index.ts';
import type { AlgorithmPreferences, NegotiatedAlgorithms, Role } from './contract.ts';
import { fillRandom } from './random-padding.ts';
import { TransportError } from './transport-error.ts';

/** SSH_MSG_KEXINIT, RFC 4253 §7.1. */
export type KexInit = {
  readonly payload: Buffer;
  readonly keyExchange: readonly string[];
  readonly hostKey: readonly string[];
  readonly cipherToServer: readonly string[];
  readonly cipherToClient: readonly string[];
  readonly macToServer: readonly string[];
  readonly macToClient: readonly string[];
  readonly compressionToServer: readonly string[];
  readonly compressionToClient: readonly string[];
  readonly firstPacketFollows: boolean;
};

/** Names in the first KEXINIT's method list that are no methods (RFC 8308 §2.1, OpenSSH PROTOCOL §1.10). */
const announcements: { readonly [role in Role]: { readonly extInfo: string; readonly strict: string } } = {
  client: { extInfo: 'ext-info-c', strict: 'kex-strict-c-v00@openssh.com' },
  server: { extInfo: 'ext-info-s', strict: 'kex-strict-s-v00@openssh.com' },
};

/** Our KEXINIT payload. The announcements go into the first only. */
export function kexInitPayload(role: Role, preferences: AlgorithmPreferences, first: boolean): Buffer {
  const template = kexInitTemplate(role, preferences, first);
  const payload = Buffer.allocUnsafeSlow(template.length);
  template.copy(payload);
  fillRandom(payload, 1, 1 + COOKIE_BYTES);
  return payload;
}

const COOKIE_BYTES = 16;

/** All but the cookie is the same for as long as the preferences are. */
const templates = new WeakMap<AlgorithmPreferences, Map<string, Buffer>>();

function kexInitTemplate(role: Role, preferences: AlgorithmPreferences, first: boolean): Buffer {
  const name = `${role} ${first}`;
  const known = templates.get(preferences);
  const made = known?.get(name) ?? writeKexInit(role, preferences, first);
  if (known === undefined) templates.set(preferences, new Map([[name, made]]));
  else known.set(name, made);
  return made;
}

function writeKexInit(role: Role, preferences: AlgorithmPreferences, first: boolean): Buffer {
  const own = announcements[role];
  const compression = ['none'];
  return new WireWriter(1024)
    .byte(MessageNumber.kexInit)
    .raw(Buffer.alloc(COOKIE_BYTES))
    .nameList(first ? [...preferences.keyExchange, own.extInfo, own.strict] : preferences.keyExchange)
    .nameList(preferences.hostKey)
    .nameList(preferences.cipher)
    .nameList(preferences.cipher)
    .nameList(preferences.mac)
    .nameList(preferences.mac)
    .nameList(compression)
    .nameList(compression)
    .nameList([])
    .nameList([])
    .boolean(false)
    .uint32(0)
    .finish();
}

/** @throws WireError. */
export function parseKexInit(payload: Buffer): KexInit {
  if (payload.length > MAX_REMEMBERED_BYTES) return { ...parseLists(payload), payload };
  const afterCookie = payload.toString('latin1', 1 + COOKIE_BYTES);
  const known = parsedLists.get(afterCookie);
  if (known !== undefined) return { ...known, payload };
  const lists = parseLists(payload);
  if (parsedLists.size >= MAX_REMEMBERED) {
    const [oldest] = parsedLists.keys();
    if (oldest !== undefined) parsedLists.delete(oldest);
  }
  parsedLists.set(afterCookie, lists);
  return { ...lists, payload };
}

/** Peers of one version say the same at each connection. */
const parsedLists = new Map<string, Omit<KexInit, 'payload'>>();
const MAX_REMEMBERED = 64;
const MAX_REMEMBERED_BYTES = 4096;

function parseLists(payload: Buffer): Omit<KexInit, 'payload'> {
  const reader = new WireReader(payload, 1);
  reader.raw(COOKIE_BYTES);
  const init = {
    keyExchange: reader.nameList(),
    hostKey: reader.nameList(),
    cipherToServer: reader.nameList(),
    cipherToClient: reader.nameList(),
    macToServer: reader.nameList(),
    macToClient: reader.nameList(),
    compressionToServer: reader.nameList(),
    compressionToClient: reader.nameList(),
  };
  reader.string();
  reader.string();
  const firstPacketFollows = reader.boolean();
  reader.uint32();
  reader.end();
  return { ...init, firstPacketFollows };
}

/** Whether a peer in `role` asked for strict key exchange in its first KEXINIT. */
export function asksForStrict(init: KexInit, role: Role): boolean {
  return init.keyExchange.includes(announcements[role].strict);
}

/** Whether a peer in `role` takes EXT_INFO. */
export function takesExtensionInfo(init: KexInit, role: Role): boolean {
  return init.keyExchange.includes(announcements[role].extInfo);
}

/** Whether the guess behind a KEXINIT with first_kex_packet_follows was wrong, RFC 4253 §7. */
export function guessedWrong(init: KexInit, own: AlgorithmPreferences): boolean {
  return init.keyExchange[0] !== own.keyExchange[0] || init.hostKey[0] !== own.hostKey[0];
}

/**
 * The client's first name that the server also has, list by list (RFC 4253 §7.1). `own` holds our tables' names only, so
 * that an announcement is never taken for a method.
 *
 * @throws TransportError `no-common-algorithm`.
 */
export function negotiate(
  role: Role,
  own: AlgorithmPreferences,
  peer: KexInit,
  strict: boolean,
): NegotiatedAlgorithms {
  const choose = (what: string, ours: readonly string[], theirs: readonly string[]): string => {
    const [wanted, offered] = role === 'client' ? [ours, theirs] : [theirs, ours];
    const chosen = wanted.find((name) => offered.includes(name));
    if (chosen === undefined)
      throw new TransportError('no-common-algorithm', `the peer and this end have no ${what} in common`);
    // Our own copy of the name: the peer's is a slice that would keep its whole list in memory.
    return ours.find((name) => name === chosen) ?? chosen;
  };
  const chooseMac = (cipher: string, theirs: readonly string[]): string =>
    isAuthenticatedCipher(cipher) ? 'implicit' : choose('MAC', own.mac, theirs);
  const keyExchange = choose('key exchange method', own.keyExchange, peer.keyExchange);
  const hostKey = choose('host key algorithm', own.hostKey, peer.hostKey);
  const cipherToServer = choose('cipher', own.cipher, peer.cipherToServer);
  const cipherToClient = choose('cipher', own.cipher, peer.cipherToClient);
  const macToServer = chooseMac(cipherToServer, peer.macToServer);
  const macToClient = chooseMac(cipherToClient, peer.macToClient);
  choose('compression method (only none is offered)', ['none'], peer.compressionToServer);
  choose('compression method (only none is offered)', ['none'], peer.compressionToClient);
  const settled = { keyExchange, hostKey, strict };
  return role === 'client'
    ? {
        ...settled,
        cipherOut: cipherToServer,
        macOut: macToServer,
        cipherIn: cipherToClient,
        macIn: macToClient,
      }
    : {
        ...settled,
        cipherOut: cipherToClient,
        macOut: macToClient,
        cipherIn: cipherToServer,
        macIn: macToServer,
      };
}
