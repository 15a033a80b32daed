/** Something the repository must not contain. */
export type WordingRule = {
  readonly name: string;
  /** Global; a match that is `allowed`, seen in its line, is none. */
  readonly pattern: RegExp;
  readonly allowed?: (match: string, line: string) => boolean;
  /** Only in files whose path matches. */
  readonly files?: RegExp;
  readonly advice: string;
};

/** RFC 5737 networks, loopback, any, masks and broadcast, and the instance metadata service of cloud providers. */
const documentationAddress =
  /^(?:192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|127\.|0\.0\.0\.0$|255\.255\.|169\.254\.169\.254$)/;

/** Just outside of documentation networks, or with an octal octet: tests of where a range ends need them. */
const boundaryAddresses = new Set(['192.0.3.0', '192.0.02.0', '203.0.112.9']);

/** Networks that everybody has (RFC 1918), and the whole internet or half of it, as rules of security groups name them. */
const commonNetwork = /^(?:10(?:\.\d+){3}|0\.0\.0\.0|128\.0\.0\.0|32\.0\.0\.0|2\.0\.0\.0)$/;

/** AWS's own examples, and none. */
const documentationAccounts = new Set(['123456789012', '111122223333', '000000000000']);

/** Written apart, so that this table is not found by itself. */
const word = (...parts: readonly string[]) => parts.join('');

export const wordingRules: readonly WordingRule[] = [
  {
    name: 'lonely-test',
    pattern: /\b(?:it|test|describe|suite)(?:\.\w+)*\.only\b/g,
    files: /\.[cm]?[jt]sx?$/,
    advice: 'let all tests run',
  },
  {
    name: 'skipped-test',
    pattern:
      /\b(?:it|test|describe|suite)(?:\.\w+)*\.(?:skip|todo|skipIf|runIf|fails)\b|\b(?:xit|xdescribe|xtest)\s*\(|\bcontext\.skip\(/g,
    files: /\.[cm]?[jt]sx?$/,
    // What needs one operating system may say so.
    allowed: (match, line) => match.endsWith('.runIf') && line.includes('process.platform'),
    advice: 'write the test so that it runs, or remove it',
  },
  {
    name: 'unfinished',
    pattern: new RegExp(
      `\\b(?:${word('TO', 'DO')}|${word('FIX', 'ME')}|${word('X', 'XX')}|${word('HA', 'CK')})\\b`,
      'g',
    ),
    advice: 'finish it, or say in the documentation what is not done',
  },
  {
    name: 'silenced-compiler',
    pattern: new RegExp(`@ts-${word('(?:ignore|', 'expect-error|nocheck)')}\\b`, 'g'),
    advice: 'give the compiler the type it needs',
  },
  {
    name: 'silenced-lint',
    pattern: new RegExp(
      `\\b(?:eslint|oxlint|biome)-${word('(?:disable|', 'ignore)')}|prettier-${word('ig', 'nore')}`,
      'g',
    ),
    advice: 'write it so that the linter has nothing to say',
  },
  {
    name: 'folder-of-a-machine',
    pattern:
      /(?<![\w.~-])\/(?:root|home\/(?!\$|\{|<|alice\b|bob\b|carol\b|deploy\b|dave\b|erin\b|mallory\b|user\b|ubuntu\b|ec2-user\b)[A-Za-z0-9_-]+|Users\/[A-Za-z0-9_-]+|work|workspace)\/[\w.-]+/g,
    advice: 'write a path relative to the repository, or one with an example name such as /home/alice',
  },
  {
    name: 'real-address',
    pattern: /(?<![\w.-])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![\w.-]*[\w])/g,
    allowed: (address, line) =>
      documentationAddress.test(address) ||
      boundaryAddresses.has(address) ||
      (commonNetwork.test(address) && line.includes(`${address}/`)),
    advice: 'use 192.0.2.x, 198.51.100.x or 203.0.113.x (RFC 5737), or 127.0.0.x',
  },
  {
    name: 'real-account',
    pattern: /(?<![\w.-])\d{12}(?![\w-]|\.\d)/g,
    // Counters and round numbers have runs of zeros; bytes in hex say so.
    allowed: (account, line) =>
      documentationAccounts.has(account) || account.includes('000000') || line.includes("'hex'"),
    advice: 'use 123456789012 or 111122223333',
  },
];
