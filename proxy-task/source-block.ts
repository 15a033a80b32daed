/**
 * What counts as one source: an IPv4 address, or the 64 bits of an IPv6 address that name a network, since whoever has one
 * address of it has them all.
 */
export function sourceBlock(address: string): string {
  const plain = address.replace(/%.*$/s, '');
  if (!plain.includes(':')) return plain;
  const [front = '', back] = plain.split('::');
  const head = groupsOf(front);
  const tail = back === undefined ? [] : groupsOf(back);
  const missing = Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** A dual-stack socket calls 192.0.2.1 ::ffff:192.0.2.1. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
}

function groupsOf(text: string): string[] {
  if (text === '') return [];
  return text
    .split(':')
    .flatMap((group) => (group.includes('.') ? ['0', '0'] : [group.toLowerCase().replace(/^0+(?=.)/, '')]));
}
