import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createFileSigner, openFileSigner } from '../../../../adapters/local/index.ts';
import { signerConformance } from '../../../conformance/signer.ts';
import { temporaryFolder } from '../temporary-folder.ts';

signerConformance('a new key file', () => createFileSigner(join(temporaryFolder(), 'ca.key')));
signerConformance('a key file opened again', async () => {
  const path = join(temporaryFolder(), 'ca.key');
  await createFileSigner(path);
  return openFileSigner(path);
});

describe('createFileSigner', () => {
  it('makes a PKCS#8 PEM file for its owner alone, which opens as the same key', async () => {
    const path = join(temporaryFolder(), 'keys', 'ca.key');

    const made = await createFileSigner(path);

    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect((await openFileSigner(path)).publicKeySpki).toEqual(made.publicKeySpki);
  });

  it('replaces no key and writes through no link', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'ca.key');
    await createFileSigner(path);
    const before = readFileSync(path);
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'link.key'));

    await expect(createFileSigner(path)).rejects.toMatchObject({ name: 'SignerError', code: 'exists' });
    await expect(createFileSigner(join(folder, 'link.key'))).rejects.toMatchObject({ code: 'exists' });

    expect(readFileSync(path)).toEqual(before);
  });
});

describe('openFileSigner', () => {
  it.each([0o640, 0o604, 0o660, 0o644, 0o601])(
    'refuses a file of mode %o and says what to run',
    async (mode) => {
      const path = join(temporaryFolder(), "it's a ca.key");
      await createFileSigner(path);
      chmodSync(path, mode);

      await expect(openFileSigner(path)).rejects.toMatchObject({ code: 'unsafe' });
      await expect(openFileSigner(path)).rejects.toThrow(`run: chmod 600 '${path.replaceAll("'", "'\\''")}'`);
    },
  );

  it('follows no link, and waits for no pipe', async () => {
    const folder = temporaryFolder();
    await createFileSigner(join(folder, 'ca.key'));
    symlinkSync(join(folder, 'ca.key'), join(folder, 'link.key'));
    execFileSync('mkfifo', ['-m', '600', join(folder, 'pipe.key')]);

    await expect(openFileSigner(join(folder, 'link.key'))).rejects.toThrow(/symbolic link/);
    await expect(openFileSigner(join(folder, 'pipe.key'))).rejects.toMatchObject({ code: 'invalid' });
    await expect(openFileSigner(join(folder, 'none.key'))).rejects.toMatchObject({ code: 'absent' });
    await expect(openFileSigner(folder)).rejects.toMatchObject({ code: 'invalid' });
  });

  const ed25519 = generateKeyPairSync('ed25519');
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
  it.each([
    ['nothing', ''],
    ['text', 'not a key'],
    ['a public key', ed25519.publicKey.export({ type: 'spki', format: 'pem' })],
    ['a key of another type', p256.privateKey.export(pkcs8)],
    [
      'a key with a passphrase',
      ed25519.privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'x' }),
    ],
    ['half a key', String(ed25519.privateKey.export(pkcs8)).slice(0, 60)],
    ['random bytes', randomBytes(300)],
    ['far too much', Buffer.alloc(100_000, 'x')],
  ])('refuses a file that holds %s, without showing any of it', async (_name, content) => {
    const path = join(temporaryFolder(), 'ca.key');
    writeFileSync(path, content, { mode: 0o600 });

    const error: unknown = await openFileSigner(path).catch((caught: unknown) => caught);

    expect(error).toMatchObject({ name: 'SignerError', code: 'invalid' });
    const body = content.toString('latin1').split('\n')[1]?.slice(0, 10);
    expect(inspect(error)).not.toContain(body?.length === 10 ? body : 'BEGIN');
  });
});
