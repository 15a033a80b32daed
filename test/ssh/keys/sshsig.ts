import { hash } from 'node:crypto';
import { WireReader, WireWriter } from '../../../ssh/wire/index.ts';

/** OpenSSH PROTOCOL.sshsig: a file signature that `ssh-keygen -Y` makes and verifies. */
export const sshsigNamespace = 'test@example.com';

/** The bytes that are signed for a message. */
export function sshsigSignedData(message: string): Buffer {
  return new WireWriter()
    .raw(Buffer.from('SSHSIG'))
    .string(sshsigNamespace)
    .string('')
    .string('sha512')
    .string(hash('sha512', message, 'buffer'))
    .finish();
}

export function armoredSshsig(publicKeyBlob: Buffer, signature: Buffer): string {
  const body = new WireWriter()
    .raw(Buffer.from('SSHSIG'))
    .uint32(1)
    .string(publicKeyBlob)
    .string(sshsigNamespace)
    .string('')
    .string('sha512')
    .string(signature)
    .finish();
  return `-----BEGIN SSH SIGNATURE-----\n${body.toString('base64')}\n-----END SSH SIGNATURE-----\n`;
}

/** The signature blob inside an armored file. */
export function signatureInSshsig(armored: string): Buffer {
  const base64 = armored.replace(/-----[A-Z ]+-----/g, '').replace(/\s+/g, '');
  const reader = new WireReader(Buffer.from(base64, 'base64'));
  reader.raw(6);
  reader.uint32();
  for (let field = 0; field < 4; field += 1) reader.string();
  return reader.string();
}
