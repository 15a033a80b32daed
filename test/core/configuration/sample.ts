/** RFC 4251 §5 strings, as a key line. The keys are well formed and nobody's. */
function keyLine(type: string, ...fields: readonly (Buffer | string)[]): string {
  const blob = [type, ...fields].map((field) => {
    const bytes = Buffer.from(field);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  return `${type} ${Buffer.concat(blob).toString('base64')}`;
}

export function ed25519Line(seed: number): string {
  return keyLine('ssh-ed25519', Buffer.alloc(32, seed));
}

const point = (length: number) => Buffer.concat([Buffer.from([4]), Buffer.alloc(length - 1, 7)]);
const modulus = (bits: number) => Buffer.concat([Buffer.from([0]), Buffer.alloc(bits / 8, 0x91)]);

export const goodKeyLines = [
  ed25519Line(1),
  `${ed25519Line(2)} alice@laptop with blanks`,
  keyLine('ssh-rsa', Buffer.from([1, 0, 1]), modulus(2048)),
  keyLine('ecdsa-sha2-nistp256', 'nistp256', point(65)),
  keyLine('ecdsa-sha2-nistp384', 'nistp384', point(97)),
  keyLine('ecdsa-sha2-nistp521', 'nistp521', point(133)),
  keyLine('sk-ssh-ed25519@openssh.com', Buffer.alloc(32, 3), 'ssh:'),
  keyLine('sk-ecdsa-sha2-nistp256@openssh.com', 'nistp256', point(65), 'ssh:'),
];

export const badKeyLines: readonly (readonly [name: string, line: string, message: RegExp])[] = [
  ['nothing', '', /key type/],
  ['a type alone', 'ssh-ed25519', /base64/],
  ['no base64', 'ssh-ed25519 !!!!', /base64/],
  ['half of a key', ed25519Line(1).slice(0, -8), /./],
  ['base64 with rubbish at its end', `${ed25519Line(1)}*`, /base64/],
  ['options before it', `no-pty ${ed25519Line(1)}`, /key type/],
  ['another type within', ed25519Line(1).replace(/^ssh-ed25519/, 'ssh-rsa'), /another/],
  ['a point of another curve', keyLine('ecdsa-sha2-nistp256', 'nistp384', point(97)), /no ecdsa/],
  ['a compressed point', keyLine('ecdsa-sha2-nistp256', 'nistp256', Buffer.alloc(65, 2)), /no ecdsa/],
  ['a short key', keyLine('ssh-ed25519', Buffer.alloc(31)), /no ssh-ed25519/],
  ['more than a key', keyLine('ssh-ed25519', Buffer.alloc(32), 'more'), /no ssh-ed25519/],
  ['a weak RSA key', keyLine('ssh-rsa', Buffer.from([1, 0, 1]), modulus(1024)), /2048/],
  ['a negative RSA modulus', keyLine('ssh-rsa', Buffer.from([1, 0, 1]), Buffer.alloc(256, 0x91)), /RSA/],
  ['DSA', 'ssh-dss AAAAB3NzaC1kc3M=', /DSA/],
  ['a certificate', 'ssh-ed25519-cert-v01@openssh.com AAAA', /certificate/],
  ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----', /private key/],
  ['a line without end', `ssh-ed25519 ${'A'.repeat(10_000)}`, /too long/],
];

export const totpSecret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

/** A configuration with nothing wrong; a test changes a line of it. */
export const sample = `identities:
  - name: alice
    groups: [engineers]
    keys: ['${ed25519Line(1)} alice@laptop']
    totp: { secret: ${totpSecret} }
  - name: deployer
    type: service
    sources: [192.0.2.0/24]
    keys: ['${ed25519Line(2)}']
targets:
  - name: web-1
    host: web-1.example.com
    labels: { env: prod }
    hostKeys: ['${ed25519Line(3)}']
policies: { files: [policy.cedar] }
userAuthority: { keyFile: keys/user-ca }
hostKeys: { files: [keys/host] }
`;
