import { isIPv4, isIPv6 } from 'node:net';

type Address = { readonly bits: 32 | 128; readonly value: bigint };

/**
 * Judges the value of the critical option `source-address`: comma-separated addresses and CIDR blocks. As in OpenSSH, one
 * unreadable entry, or a block with bits set behind its prefix, makes the whole list allow nothing.
 */
export function isSourceAllowed(list: string, sourceAddress: string | undefined): boolean {
  const source = sourceAddress === undefined ? undefined : parseSource(sourceAddress);
  if (source === undefined) return false;
  let allowed = false;
  for (const entry of list.split(',')) {
    const block = parseBlock(entry);
    if (block === undefined) return false;
    const { network, hostBits } = block;
    if (network.bits === source.bits && network.value >> hostBits === source.value >> hostBits)
      allowed = true;
  }
  return allowed;
}

/** A peer's address as node:net gives it: perhaps with a zone, perhaps an IPv4 address in IPv6 form. */
function parseSource(text: string): Address | undefined {
  const address = parseAddress(text.replace(/%.*$/s, ''));
  if (address?.bits === 128 && address.value >> 32n === 0xffffn)
    return { bits: 32, value: address.value & 0xffffffffn };
  return address;
}

function parseBlock(entry: string): { readonly network: Address; readonly hostBits: bigint } | undefined {
  const match = /^([0-9a-fA-F.:]{1,45})(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(entry);
  const network = match?.[1] === undefined ? undefined : parseAddress(match[1]);
  if (network === undefined) return undefined;
  const prefix = match?.[2] === undefined ? network.bits : Number(match[2]);
  if (prefix > network.bits) return undefined;
  const hostBits = BigInt(network.bits - prefix);
  const clean = (network.value >> hostBits) << hostBits === network.value;
  return clean ? { network, hostBits } : undefined;
}

function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { bits: 32, value: ipv4Value(text) };
  if (isIPv6(text)) return { bits: 128, value: ipv6Value(text) };
  return undefined;
}

/** `text` has passed `isIPv4`. */
function ipv4Value(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

/** `text` has passed `isIPv6`, and carries no zone. */
function ipv6Value(text: string): bigint {
  const [front = '', back] = text.split('::');
  const head = ipv6Groups(front);
  const tail = back === undefined ? [] : ipv6Groups(back);
  const groups = [...head, ...Array<bigint>(8 - head.length - tail.length).fill(0n), ...tail];
  return groups.reduce((value, group) => (value << 16n) | group, 0n);
}

function ipv6Groups(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const value = ipv4Value(group);
    return [value >> 16n, value & 0xffffn];
  });
}
