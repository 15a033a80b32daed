import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasChildren, parsePs, parseStat, parseStatus, usageOf } from './process-usage.ts';

describe('what the system says of a process', () => {
  test('is read behind a program name that looks like the rest of the line', () => {
    const stat = '77 (a) R 1 (b) S 42 77 77 0 -1 4194560 1 2 3 4 150 50 25 75 20 0 11 0 8';

    expect(parseStat(stat)).toEqual({ parent: 42, own: 2, children: 1 });
  });

  test('has resident memory in KiB', () => {
    expect(parseStatus('VmHWM:\t  70000 kB\nVmRSS:\t   2048 kB\nRssAnon:\t 1 kB\n')).toBe(2_097_152);
  });

  test.each([
    ['0:01.25  2048', 1.25],
    ['  12:00.5 2048\n', 720.5],
    ['01:00:01 2048', 3601],
    ['1-00:00:01 2048', 86_401],
  ])('is read from ps: %s', (text, cpuSeconds) => {
    expect(parsePs(text)).toEqual({ cpuSeconds, rssBytes: 2_097_152 });
  });

  test('is never a number that was not there', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const parse of [parseStat, parseStatus, parsePs]) {
          try {
            expect(JSON.stringify(parse(text))).not.toContain('null');
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        }
      }),
    );
  });

  test('can be asked of this very process', () => {
    const usage = usageOf(process.pid);

    expect(usage.cpuSeconds).toBeGreaterThan(0);
    expect(usage.rssBytes).toBeGreaterThan(1_000_000);
  });

  test('tells of its children where there is a /proc', async () => {
    const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(child, 'spawn');

    expect(hasChildren(process.pid)).toBe(existsSync('/proc/self/stat'));

    child.stdin.end();
    await once(child, 'close');
  });
});
