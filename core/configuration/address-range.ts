type Address = { readonly bits: 32 | 128; readonly value: bigint };
/** The addresses that are the same but for the last `hostBits`. */
type AddressRange = { readonly network: Address; readonly hostBits: bigint };

/** Reads `192.0.2.10`, `192.0.2.0/24` or `2001:db8::/32`; undefined for all else, also for bits set behind the prefix. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const [, address = '', written] = /^([0-9A-Fa-f.:]{2,45})(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text) ?? [];
  const network = parseAddress(address);
  if (network === undefined) return undefined;
  const prefix = written === undefined ? network.bits : Number(written);
  if (prefix > network.bits) return undefined;
  const hostBits = BigInt(network.bits - prefix);
  // A block whose address is not its first one is more often a slip than meant.
  return (network.value >> hostBits) << hostBits === network.value ? { network, hostBits } : undefined;
}

/**
 * Whether an address, as a socket names its peer, is in one of the ranges.
 *
 * @throws RangeError for a range that cannot be read.
 */
export function addressMatcher(ranges: readonly string[]): (address: string) => boolean {
  const read = ranges.map((text) => {
    const range = parseAddressRange(text);
    if (range === undefined)
      throw new RangeError(
        `${JSON.stringify(text)} is no range of addresses; write one such as 192.0.2.0/24`,
      );
    return range;
  });
  if (read.length === 0) return () => false;
  return (text) => {
    const address = parseAddress(text.replace(/%.*$/s, ''));
    return address !== undefined && read.some((range) => isWithin(range, address));
  };
}

function isWithin({ network, hostBits }: AddressRange, address: Address): boolean {
  return network.bits === address.bits && network.value >> hostBits === address.value >> hostBits;
}

function parseAddress(text: string): Address | undefined {
  if (text.length > 45) return undefined;
  if (!text.includes(':')) {
    const value = ipv4Value(text);
    return value === undefined ? undefined : { bits: 32, value };
  }
  const groups = ipv6Groups(text);
  if (groups === undefined) return undefined;
  return { bits: 128, value: groups.reduce((value, group) => (value << 16n) | group, 0n) };
}

function ipv4Value(text: string): bigint | undefined {
  const parts = text.split('.');
  if (
    parts.length !== 4 ||
    !parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)
  )
    return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

/** Eight groups of 16 bits (RFC 4291 §2.2). */
function ipv6Groups(text: string): readonly bigint[] | undefined {
  const halves = text.split('::').map((half, index, all) => groupsOf(half, index === all.length - 1));
  const [head, tail] = halves;
  if (head === undefined || halves.length > 2) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  return [...head, ...Array<bigint>(8 - head.length - tail.length).fill(0n), ...tail];
}

/** The groups between colons; undefined where one is none. At the end of the address, two may be written as an IPv4 address. */
function groupsOf(text: string, atEnd: boolean): readonly bigint[] | undefined {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9A-Fa-f]{1,4}$/.test(part)) {
      groups.push(BigInt(`0x${part}`));
      continue;
    }
    const value = atEnd && index === parts.length - 1 ? ipv4Value(part) : undefined;
    if (value === undefined) return undefined;
    groups.push(value >> 16n, value & 0xffffn);
  }
  return groups;
}
