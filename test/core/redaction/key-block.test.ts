import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { followKeyBlock, type KeyBlock, noKeyBlock } from '../../../core/redaction/key-block.ts';

const body = 'MIIEpAIBAAKCAQEA0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL';

function hidden(lines: readonly string[]): readonly string[] {
  let block: KeyBlock = noKeyBlock;
  return lines.map((line) => {
    const followed = followKeyBlock(block, line);
    block = followed.block;
    return followed.ranges.map(({ start, end }) => line.slice(start, end)).join('|');
  });
}

describe('followKeyBlock', () => {
  it('takes the lines between beginning and end, and none after', () => {
    const lines = ['-----BEGIN EC PRIVATE KEY-----', body, 'short=', '-----END EC PRIVATE KEY-----', body];

    expect(hidden(lines)).toEqual(['', body, 'short=', '', '']);
  });

  it('ends at what cannot be a part of it', () => {
    expect(hidden(['-----BEGIN PRIVATE KEY-----', 'bob@web-1:~$ ls', body])).toEqual(['', '', '']);
    expect(hidden(['-----BEGIN PRIVATE KEY-----', body, 'last=', 'word', body])).toEqual([
      '',
      body,
      'last=',
      '',
      '',
    ]);
  });

  it('has an end even where the block has none', () => {
    const lines = ['-----BEGIN PRIVATE KEY-----', ...Array.from({ length: 2000 }, () => body)];

    expect(hidden(lines).filter((part) => part !== '')).toHaveLength(1000);
  });

  it('follows two keys on one line', () => {
    const one = `-----BEGIN PRIVATE KEY-----\\n${body}\\n-----END PRIVATE KEY-----`;

    expect(hidden([`${one},${one}`])).toEqual([`\\n${body}\\n|\\n${body}\\n`]);
  });

  it('takes any lines', () => {
    const line = fc
      .array(
        fc.constantFrom(
          '-----BEGIN PRIVATE KEY-----',
          '-----END PRIVATE KEY-----',
          'Private-Lines: 9',
          body,
          ' ',
          'a',
          '"',
          ':',
          'Proc-Type: 4',
        ),
      )
      .map((parts) => parts.join(''));
    fc.assert(fc.property(fc.array(line), (lines) => void hidden(lines)));
  });
});
