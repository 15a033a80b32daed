import { describe, expect, it } from 'vitest';
import { parseConfiguration, parseHostedConfiguration } from '#core/configuration';
import { hostedSample } from './hosted-sample.ts';
import { sample } from './sample.ts';

const withCredential = (text: string, credential: string): string =>
  text.replace(/(\n {4}host: web-1\.example\.com\n)/, `$1    credential: ${credential}\n`);

describe('the credential of a target in files', () => {
  it.each([
    ['{ keyFile: keys/web }', { kind: 'key', keyFile: 'keys/web' }],
    [
      '{ keyFile: keys/web, passphraseFile: keys/web.pass }',
      { kind: 'key', keyFile: 'keys/web', passphraseFile: 'keys/web.pass' },
    ],
    ['{ passwordFile: keys/web.pass }', { kind: 'password', passwordFile: 'keys/web.pass' }],
  ])('is %s', (written, credential) => {
    const parsed = parseConfiguration(withCredential(sample, written), 'sshtrail.yaml');

    expect(parsed).toMatchObject({ ok: true, configuration: { targets: [{ name: 'web-1', credential }] } });
  });

  it.each([
    ['{}', 'has neither keyFile nor passwordFile'],
    ['{ keyFile: a, passwordFile: b }', 'has both keyFile and passwordFile'],
    ['{ passwordFile: a, passphraseFile: b }', 'is for a key, and there is none'],
    ['{ password: secret-itself }', 'passwordFile'],
  ])('is not %s', (written, why) => {
    const parsed = parseConfiguration(withCredential(sample, written), 'sshtrail.yaml');

    const problems = JSON.stringify(parsed.ok ? [] : parsed.problems);
    expect(problems).toContain(why);
    expect(problems).toContain('targets[0].credential');
    expect(problems).not.toContain('secret-itself');
  });
});

describe('the credential of a target on AWS', () => {
  it.each([
    ['{ kind: key, name: web-1 }', { kind: 'key', store: 'parameter-store', name: 'web-1' }],
    [
      '{ kind: password, store: secrets-manager, name: web-1 }',
      { kind: 'password', store: 'secrets-manager', name: 'web-1' },
    ],
  ])('is %s', (written, credential) => {
    const parsed = parseHostedConfiguration(withCredential(hostedSample, written), 'sshtrail.yaml');

    expect(parsed).toMatchObject({ ok: true, configuration: { targets: [{ name: 'web-1', credential }] } });
  });

  it.each(['../other', 'a/b', '/sshtrail/other/host-key', 'arn:aws:x', '*', ''])(
    'is not found elsewhere by the name %j',
    (name) => {
      const written = `{ kind: key, name: ${JSON.stringify(name)} }`;

      expect(parseHostedConfiguration(withCredential(hostedSample, written), 'sshtrail.yaml').ok).toBe(false);
    },
  );

  it.each(['{ keyFile: keys/web }', '{ kind: key }', '{ name: web-1 }'])('is not %s', (written) => {
    expect(parseHostedConfiguration(withCredential(hostedSample, written), 'sshtrail.yaml').ok).toBe(false);
  });
});
