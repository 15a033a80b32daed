import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeSelector, fits, readLockSelector } from '../../../core/lock/index.ts';
import { anySelector, bob } from './sample-locks.ts';

describe('a selector', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(anySelector, (selector) => {
        expect(readLockSelector(selector)).toEqual({ ok: true, selector });
      }),
    );
  });

  it('leaves out what was not given', () => {
    expect(readLockSelector({ identity: 'bob', target: undefined })).toEqual({
      ok: true,
      selector: { identity: 'bob' },
    });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['nothing', {}, 'nothing-selected'],
    ['nothing but what is undefined', { identity: undefined }, 'nothing-selected'],
    ['everybody and one', { all: true, identity: 'bob' }, 'all-stands-alone'],
    ['no everybody', { all: false }, 'malformed-field'],
    ['a field that locks have not', { user: 'bob' }, 'unknown-field'],
    ['a field of every object', { __proto__: undefined, constructor: 'x' }, 'unknown-field'],
    ['a number', { identity: 7 }, 'malformed-field'],
    ['no name', { identity: '' }, 'malformed-field'],
    ['a name that moves the cursor', { identity: 'bob\u001b[2J' }, 'malformed-field'],
    ['a name with a line behind it', { identity: 'bob\n' }, 'malformed-field'],
    ['an MD5 fingerprint', { keyFingerprint: 'MD5:aa' }, 'malformed-field'],
    ['a serial in hex', { certificateSerial: '0x7' }, 'malformed-field'],
    ['a part of a session id', { sessionId: 's-01' }, 'malformed-field'],
    ['a target in capitals', { target: 'Web-1' }, 'malformed-field'],
    ['an option as a login', { login: '-oProxyCommand=x' }, 'malformed-field'],
    ['no range', { source: '192.0.2.0/33' }, 'malformed-field'],
    ['a range with bits behind the prefix', { source: '192.0.2.7/24' }, 'malformed-field'],
    ['every address of IPv4', { source: '0.0.0.0/0' }, 'malformed-field'],
    ['every address of IPv6', { source: '::/0' }, 'malformed-field'],
    ['IPv4 in the form of IPv6, which nobody comes from', { source: '::ffff:192.0.2.1' }, 'malformed-field'],
  ])('of %s is refused', (_, written, reason) => {
    expect(readLockSelector(written)).toMatchObject({ ok: false, reason });
  });

  it('is read or refused whatever it is, and what is read never fits everybody unsaid', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.anything()), (written) => {
        const read = readLockSelector(written);
        if (read.ok && read.selector.all !== true) expect(fits(read.selector, stranger)).toBe(false);
      }),
    );
  });

  it('says in words whom it is about', () => {
    expect(describeSelector({ target: 'web-1', identity: 'bob', source: '192.0.2.0/24' })).toBe(
      'identity bob, target web-1, source 192.0.2.0/24',
    );
    expect(describeSelector({ all: true })).toBe('everybody');
    expect(fits({ identity: bob.identity, target: bob.target }, bob)).toBe(true);
  });
});

const stranger = { sessionId: `s-${'0'.repeat(32)}`, sourceIp: '' };
