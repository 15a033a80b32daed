import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressMatcher } from '#core/configuration';
import { parseAddressRange } from '../../../core/configuration/address-range.ts';

test.each([
  '192.0.2.10',
  '192.0.2.0/24',
  '0.0.0.0/0',
  '2001:db8::/32',
  '::/0',
  '::1',
  '1:2:3:4:5:6:7:8',
  '64:ff9b::192.0.2.1',
])('%s is a range', (text) => {
  expect(parseAddressRange(text)).toBeDefined();
});

test.each([
  '',
  '192.0.2',
  '192.0.2.256',
  '192.0.2.010',
  '192.0.2.1/24',
  '192.0.2.0/33',
  '192.0.2.0/024',
  '192.0.2.0/',
  '192.0.2.0/-1',
  ' 192.0.2.1',
  '2001:db8::1/32',
  '2001:db8::/129',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1::2::3',
  ':::',
  '::192.0.2',
  '192.0.2.4::',
  'fe80::1%eth0',
  'example.com',
])('%j is none', (text) => {
  expect(parseAddressRange(text)).toBeUndefined();
});

test('an address is matched against every range, and against those of its own kind alone', () => {
  const matches = addressMatcher(['192.0.2.0/24', '2001:db8::/32', '198.51.100.7']);

  expect(
    ['192.0.2.255', '2001:db8:ffff::1', '198.51.100.7', '2001:db8::1%eth0'].filter((each) => !matches(each)),
  ).toEqual([]);
  expect(
    ['192.0.3.0', '2001:db9::1', '198.51.100.8', '', 'x', '::ffff:192.0.2.1'].filter((each) => matches(each)),
  ).toEqual([]);
});

test('no ranges match nothing, and a range that cannot be read is a fault', () => {
  expect(addressMatcher([])('192.0.2.1')).toBe(false);
  expect(() => addressMatcher(['192.0.2.1/24'])).toThrow(RangeError);
});

test('ranges match what the system says they match', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(address, address, fc.nat(128), (one, other, prefix) => {
      const text = `${one}/${prefix}`;
      if (parseAddressRange(text) === undefined) return;
      const list = new BlockList();
      const family = (each: string) => (isIP(each) === 4 ? 'ipv4' : 'ipv6');
      list.addSubnet(one, prefix, family(one));
      const matches = addressMatcher([text]);

      for (const each of [one, other])
        if (family(each) === family(one)) expect(matches(each)).toBe(list.check(each, family(each)));
    }),
  );
});

test('any text is a range or none, without a fault', () => {
  const written = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('0', '1', '2', '5', '9', 'a', 'F', ':', '.', '/', '%') }),
    fc.ipV4(),
    fc.ipV6(),
  );
  fc.assert(
    fc.property(written, (text) => {
      const isAddress = isIP(text) !== 0 && !text.includes('%');

      expect(parseAddressRange(text) !== undefined && !text.includes('/')).toBe(isAddress);
      expect(addressMatcher(['192.0.2.0/24'])(text)).toBe(isIP(text) === 4 && text.startsWith('192.0.2.'));
    }),
    { numRuns: 500 },
  );
});
