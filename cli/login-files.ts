import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import {
  agentAt,
  type Certificate,
  CertificateError,
  formatPrivateKey,
  formatPublicKeyLine,
  type PrivateKey,
  parseCertificateLine,
} from '#ssh';
import { CliError } from './cli-error.ts';
import type { IssuedCertificate, KeyPlace } from './login.ts';
import { systemErrorCode } from './system-error.ts';

/** What `sshtrail login` keeps, and where. */
export type LoginFiles = {
  readonly folder: string;
  readonly privateKey: string;
  readonly publicKey: string;
  readonly certificate: string;
  readonly sshConfig: string;
  readonly knownHosts: string;
  readonly keepIn: KeyPlace;
  /** What ssh is given as IdentityFile: the key, or the certificate by which it finds the key in the agent. */
  readonly identityFile: string;
};

export function loginFiles(folder: string, keepIn: KeyPlace): LoginFiles {
  const root = resolve(folder);
  const privateKey = join(root, 'id_ed25519');
  const certificate = `${privateKey}-cert.pub`;
  return {
    folder: root,
    privateKey,
    publicKey: `${privateKey}.pub`,
    certificate,
    sshConfig: join(root, 'ssh_config'),
    knownHosts: join(root, 'known_hosts'),
    keepIn,
    identityFile: keepIn.kind === 'file' ? privateKey : certificate,
  };
}

/** The certificate that is there; undefined where there is none, it is another principal's, or it cannot be read. */
export function presentCertificate(
  files: LoginFiles,
  principal: string | undefined,
): Certificate | undefined {
  try {
    const { certificate } = parseCertificateLine(readFileSync(files.certificate, 'utf8').trimEnd());
    const isTheirs = principal === undefined || certificate.principals.includes(principal);
    return isTheirs ? certificate : undefined;
  } catch (error) {
    // A file that somebody else made is written anew, as one that is missing is.
    if (error instanceof CertificateError || systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether the key of the certificate is where ssh looks for it: an agent forgets, and files get lost. */
export async function isKeyInPlace(files: LoginFiles, { blob }: Certificate): Promise<boolean> {
  if (files.keepIn.kind === 'file') return existsSync(files.privateKey);
  const held = await agentAt(files.keepIn.socket).list();
  return held.some((identity) => identity.blob.equals(blob));
}

/** Puts key and certificate where ssh finds them, the key last. */
export async function deliver(
  files: LoginFiles,
  what: { readonly privateKey: PrivateKey; readonly issued: IssuedCertificate; readonly nowMs: number },
  client: { readonly configuration: readonly string[]; readonly knownHosts?: readonly string[] } | undefined,
): Promise<Certificate> {
  const { privateKey, issued, nowMs } = what;
  const { certificate } = parseCertificateLine(issued.line);
  if (!certificate.publicKey.blob.equals(privateKey.publicKey.blob) || certificate.kind !== 'user')
    throw new CliError(
      'unusable-data',
      'what came back is no user certificate of the key that was sent; see whether the address is that of your control API',
    );
  const comment = `sshtrail ${issued.principal}`;
  prepareFolder(files.folder);
  if (client?.knownHosts !== undefined) write(files.knownHosts, lines(client.knownHosts));
  if (client !== undefined) write(files.sshConfig, lines(client.configuration));
  if (files.keepIn.kind === 'agent') {
    const agent = agentAt(files.keepIn.socket);
    const lifetimeSeconds = Math.max(1, Number(certificate.validBefore) - Math.floor(nowMs / 1000));
    await agent.add({ privateKey, certificate: certificate.blob, comment, lifetimeSeconds });
    const before = presentCertificate(files, undefined);
    if (before !== undefined && (await isKeyInPlace(files, before))) await agent.remove(before.blob);
    // A key of an earlier login in a file would be another way in.
    for (const path of [files.privateKey, files.publicKey]) rmSync(path, { force: true });
  } else {
    write(files.publicKey, lines([formatPublicKeyLine(privateKey.publicKey, comment)]));
    write(files.privateKey, formatPrivateKey(privateKey, comment));
  }
  write(files.certificate, lines([issued.line]));
  return certificate;
}

function prepareFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory())
    throw new CliError('bad-input', `${folder} is no folder; choose another with --folder`);
  if ((found.mode & 0o022) !== 0)
    throw new CliError(
      'bad-input',
      `others can write to ${folder}, and could put another key there; run: chmod 700 ${folder}`,
    );
  if ((found.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

/** In one step, and never through a link that somebody left there. */
function write(path: string, text: string): void {
  const unfinished = `${path}.${process.pid}`;
  rmSync(unfinished, { force: true });
  writeFileSync(unfinished, text, { mode: 0o600, flag: 'wx' });
  renameSync(unfinished, path);
}

function lines(texts: readonly string[]): string {
  return `${texts.join('\n')}\n`;
}
