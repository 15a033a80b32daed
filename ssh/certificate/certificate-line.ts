import { formatKeyLine, KeyError, splitKeyLine } from '../keys/index.ts';
import { CertificateError } from './certificate-error.ts';
import { MAX_CERTIFICATE_BYTES } from './certificate-limits.ts';
import type { Certificate } from './contract.ts';
import { parseCertificate } from './parse-certificate.ts';

/** Base64 of the largest certificate, its type and a comment. */
const MAX_LINE_CHARACTERS = 2 * MAX_CERTIFICATE_BYTES;

/** The line of a `-cert.pub` file, `type base64 comment`, without a line end. */
export function formatCertificateLine(blob: Buffer, comment = ''): string {
  return formatKeyLine(parseCertificate(blob).type, blob, comment);
}

/**
 * Reads the line of a `-cert.pub` file.
 *
 * @throws CertificateError as `parseCertificate`, and `malformed` where the text is not such a line.
 */
export function parseCertificateLine(text: string): {
  readonly certificate: Certificate;
  readonly comment: string;
} {
  const line = splitCertificateLine(text);
  const certificate = parseCertificate(line.blob);
  if (certificate.type !== line.type)
    throw new CertificateError(
      'malformed',
      'the line names another certificate type than its base64 part holds',
    );
  return { certificate, comment: line.comment };
}

function splitCertificateLine(text: string): ReturnType<typeof splitKeyLine> {
  try {
    return splitKeyLine(text, MAX_LINE_CHARACTERS);
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause;
    throw new CertificateError('malformed', `this is not the line of a -cert.pub file: ${cause.message}`, {
      cause,
    });
  }
}
