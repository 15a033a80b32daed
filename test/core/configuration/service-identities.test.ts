import { describe, expect, it } from 'vitest';
import { parseConfiguration } from '#core/configuration';
import { ed25519Line, sample, totpSecret } from './sample.ts';

function problemsOf(text: string) {
  const parsed = parseConfiguration(text, 'sshtrail.yaml');
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path} ${message}`);
}

const pinned = '    sources: [192.0.2.0/24]\n';
const withSources = (sources: string) => sample.replace(pinned, `    sources: ${sources}\n`);

describe('a service in the configuration', () => {
  it('is fine with keys and sources, a single address or IPv6 included', () => {
    expect(problemsOf(sample)).toEqual([]);
    expect(problemsOf(withSources('[192.0.2.10, "2001:db8::/32", "::1"]'))).toEqual([]);
  });

  it('has to say where it comes from', () => {
    expect(problemsOf(sample.replace(pinned, ''))).toEqual([
      'identities[1] is a service and may come from anywhere',
    ]);
  });

  it('has to have a key, also where an authority is trusted', () => {
    const text = sample
      .replace(`    keys: ['${ed25519Line(2)}']\n`, '')
      .replace('targets:', `trustedUserAuthorities: ['${ed25519Line(7)}']\ntargets:`);

    expect(problemsOf(text)).toEqual([
      'identities[1] is a service without a key, so that it can never be proved',
    ]);
  });

  it('cannot be asked for codes', () => {
    const text = sample.replace(pinned, `${pinned}    totp: { secret: ${totpSecret} }\n`);

    expect(problemsOf(text)).toEqual([
      'identities[1].totp asks a service for codes, which nobody is there to type',
    ]);
  });

  it.each([
    ['[]', 'is empty'],
    ['[192.0.2.1/24]', 'is no address'],
    ['[web-1.example.com]', 'is no address'],
    ['["192.0.2.1\\n"]', 'is no address'],
    ['["*"]', 'is no address'],
    ['["192.0.2.0/33"]', 'is no address'],
  ])('cannot come from %s', (sources, message) => {
    expect(problemsOf(withSources(sources)).join()).toContain(message);
  });
});

describe('the authority of engineers', () => {
  it('has a file of its own, which is not that of targets or hosts', () => {
    const withFile = (file: string) =>
      sample.replace('hostKeys: { files', `engineerAuthority: { keyFile: ${file} }\nhostKeys: { files`);

    expect(problemsOf(withFile('keys/engineer-ca.pem'))).toEqual([]);
    expect(problemsOf(withFile('keys/user-ca'))).toEqual([
      'engineerAuthority.keyFile is also the key of userAuthority, so that who logs in by it could go past this gateway',
    ]);
    expect(problemsOf(withFile('keys/host'))).toEqual([
      'hostKeys.files[0] is also the key of engineerAuthority',
    ]);
  });
});
