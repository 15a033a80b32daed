import { describe, expect, it } from 'vitest';
import { parseConfiguration, parseHostedConfiguration } from '#core/configuration';
import { hostedSample } from './hosted-sample.ts';
import { sample } from './sample.ts';

function withRedaction(text: string): string {
  return `${sample}\nredaction:\n${text}`;
}

function problemsOf(text: string) {
  const parsed = parseConfiguration(withRedaction(text), 'sshtrail.yaml');
  return parsed.ok ? [] : parsed.problems.map(({ path, message, fix }) => `${path}: ${message}; ${fix}`);
}

function ruleWith(line: string): string {
  const lines = ['id: badge', "pattern: 'badge-(\\d{6})'", 'keywords: [badge-]'];
  const name = line.slice(0, line.indexOf(':'));
  const all = [...lines.filter((other) => !other.startsWith(`${name}:`)), line];
  return `  rules:\n    - ${all.join('\n      ')}\n`;
}

describe('the redaction of a configuration', () => {
  it('has rules of a site', () => {
    const parsed = parseConfiguration(withRedaction(`  defaults: false\n${ruleWith('group: 1')}`), 'x');

    expect(parsed.ok && parsed.configuration.redaction).toEqual({
      defaults: false,
      rules: [{ id: 'badge', pattern: 'badge-(\\d{6})', keywords: ['badge-'], group: 1 }],
    });
  });

  it('has a key for originals, and refuses what is none', () => {
    const key = 'x25519:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=';
    const parsed = parseConfiguration(withRedaction(`  sealOriginalTo: ${key}\n`), 'x');
    const hosted = parseHostedConfiguration(`${hostedSample}\nredaction:\n  sealOriginalTo: ${key}\n`, 'x');

    expect(parsed.ok && parsed.configuration.redaction.sealOriginalTo).toBe(key);
    expect(hosted.ok && hosted.configuration.redaction.sealOriginalTo).toBe(key);
    expect(problemsOf('  sealOriginalTo: x25519:AAAA\n').join()).toContain('that is no sealing key');
    expect(problemsOf('  sealOriginalTo: keys/original.pem\n').join()).toContain('that is no sealing key');
  });

  it('is the same on AWS', () => {
    const parsed = parseHostedConfiguration(`${hostedSample}\nredaction:\n${ruleWith('after: [scan]')}`, 'x');

    expect(parsed.ok && parsed.configuration.redaction.rules).toHaveLength(1);
  });

  it.each([
    ["pattern: '(a{1,60}){1,60}$'", /redaction\.rules\[0\]\.pattern: can match the same text in many ways/],
    ["pattern: '(?<x>a)'", /pattern: has a group of a kind/],
    ['keywords: []', /keywords: is empty/],
    ['keywords: [a]', /keywords: has a word that is not 3/],
    ['group: 2', /group: is 2, and the pattern has 1/],
    ['id: Badge', /id: is not the id of a rule/],
    ['id: github-token', /id: is the id of another rule/],
    ['id: repeated', /id: is the id of another rule/],
    ['colour: red', /colour/],
  ])('may not have a rule with %s', (line, message) => {
    expect(problemsOf(ruleWith(line)).join('\n')).toMatch(message);
  });

  it('may not have two rules of one id', () => {
    const rule = ruleWith('group: 1');

    expect(problemsOf(rule + rule.replace('  rules:\n', ''))).toEqual([
      expect.stringMatching(/rules\[1\]\.id/),
    ]);
  });
});
