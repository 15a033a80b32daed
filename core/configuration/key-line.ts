/** What the fields of a key blob after its type must look like (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4, OpenSSH PROTOCOL.u2f). */
type BlobShape = (fields: readonly Buffer[]) => boolean;

const shapes: ReadonlyMap<string, BlobShape> = new Map([
  ['ssh-ed25519', ([key, ...more]) => key?.length === 32 && more.length === 0],
  ['ssh-rsa', ([exponent, modulus, ...more]) => isRsa(exponent, modulus) && more.length === 0],
  ['ecdsa-sha2-nistp256', ecdsa('nistp256', 65)],
  ['ecdsa-sha2-nistp384', ecdsa('nistp384', 97)],
  ['ecdsa-sha2-nistp521', ecdsa('nistp521', 133)],
  [
    'sk-ssh-ed25519@openssh.com',
    ([key, application, ...more]) => key?.length === 32 && hasText(application) && more.length === 0,
  ],
  [
    'sk-ecdsa-sha2-nistp256@openssh.com',
    (fields) => ecdsa('nistp256', 65)(fields.slice(0, 2)) && hasText(fields[2]) && fields.length === 3,
  ],
]);

const maxLineLength = 8192;

export type KeyLine =
  /** `key` is `type base64` without the comment. */
  | { readonly ok: true; readonly type: string; readonly key: string }
  /** Both texts never repeat the line: it may be a private key put there by mistake. */
  | { readonly ok: false; readonly message: string; readonly fix: string };

/** Reads one line of a `.pub` file: type, base64, comment. The base64 must hold a key of that type and nothing else. */
export function parseKeyLine(line: string): KeyLine {
  if (line.length > maxLineLength) return bad('is too long for a public key', pubFileFix);
  if (line.includes('PRIVATE KEY'))
    return bad(
      'is a private key, which does not belong here',
      'remove it, replace that key, and put the line of its .pub file here',
    );
  const [type = '', base64 = ''] = line.trim().split(/[ \t]+/);
  if (/-cert-v0[01]@openssh\.com$/.test(type))
    return bad(
      'is a certificate, not a key',
      'put the line of the plain .pub file here; certificates are trusted by their authority',
    );
  if (type === 'ssh-dss')
    return bad('is a DSA key, which is too weak', 'make another one: ssh-keygen -t ed25519');
  const shape = shapes.get(type);
  if (shape === undefined) return bad('does not begin with a key type that can be used', pubFileFix);
  const blob = Buffer.from(base64, 'base64');
  if (blob.length === 0 || blob.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, ''))
    return bad('is not complete base64 after the key type', pubFileFix);
  const [inner, ...fields] = wireStrings(blob) ?? [];
  if (inner === undefined) return bad('holds no key: its bytes end too early', pubFileFix);
  if (inner.toString('latin1') !== type) return bad('says one key type and holds another', pubFileFix);
  if (!shape(fields))
    return bad(
      type === 'ssh-rsa' ? 'holds no RSA key of 2048 to 16384 bits' : `holds no ${type} key`,
      type === 'ssh-rsa' ? 'make another one: ssh-keygen -t ed25519' : pubFileFix,
    );
  return { ok: true, type, key: `${type} ${blob.toString('base64')}` };
}

const pubFileFix =
  'copy the whole line of the .pub file, e.g. "ssh-ed25519 AAAA... comment", without options before it';

function bad(message: string, fix: string): KeyLine {
  return { ok: false, message, fix };
}

/** RFC 4251 §5 strings back to back, or undefined where the bytes are not that. */
function wireStrings(blob: Buffer): Buffer[] | undefined {
  const strings: Buffer[] = [];
  let offset = 0;
  while (offset < blob.length) {
    if (blob.length - offset < 4 || strings.length === 8) return undefined;
    const end = offset + 4 + blob.readUInt32BE(offset);
    if (end > blob.length) return undefined;
    strings.push(blob.subarray(offset + 4, end));
    offset = end;
  }
  return strings;
}

function ecdsa(curve: string, pointLength: number): BlobShape {
  return ([name, point, ...more]) =>
    name?.toString('latin1') === curve &&
    point?.length === pointLength &&
    point[0] === 4 &&
    more.length === 0;
}

/** `mpint`: the first bit is the sign; a zero byte goes before one that is set. */
function isRsa(exponent: Buffer | undefined, modulus: Buffer | undefined): boolean {
  if (exponent === undefined || modulus === undefined) return false;
  const bits = (modulus[0] === 0 ? modulus.length - 1 : modulus.length) * 8;
  const positive = (modulus[0] ?? 0x80) < 0x80 && (exponent[0] ?? 0x80) < 0x80;
  return positive && exponent.length <= 8 && bits >= 2048 && bits <= 16_384;
}

function hasText(field: Buffer | undefined): boolean {
  return field !== undefined && field.length > 0;
}
