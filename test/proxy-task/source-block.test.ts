import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainAddress, sourceBlock } from '../../proxy-task/source-block.ts';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:DB8:0001::1', '2001:db8:1:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['1:2:3:4::', '1:2:3:4::/64'],
  ['', ''],
])('%j counts as %j', (address, block) => {
  expect(sourceBlock(address)).toBe(block);
});

test('every way to write an IPv6 address counts the same', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }), (groups) => {
      const long = groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
      const short = new URL(`http://[${long}]/`).hostname.slice(1, -1);

      expect(sourceBlock(short)).toBe(sourceBlock(long));
    }),
  );
});

test('an IPv4 address that a dual-stack socket names is itself', () => {
  expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1');
  expect(plainAddress('2001:db8::1')).toBe('2001:db8::1');
  expect(plainAddress(undefined)).toBe('');
});
