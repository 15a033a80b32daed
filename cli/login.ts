import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Certificate, formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData } from './command-context.ts';
import type { LoginOptions } from './commands/login.ts';
import { deliver, isKeyInPlace, type LoginFiles, loginFiles, presentCertificate } from './login-files.ts';
import { jsonText } from './output.ts';

/** Whoever gives out certificates: this machine's data directory, or a deployment's API. */
export type CertificateIssuer = {
  /** Whose certificate it would be, where that is known beforehand. */
  readonly principal?: string;
  /** Refuses with a sentence. `present` is the certificate that is to be renewed. */
  issue(
    publicKeyLine: string,
    validForSeconds: number | undefined,
    present: Certificate | undefined,
  ): Promise<IssuedCertificate>;
  /** What ssh has to know of the gateway; undefined where nobody said where it is. */
  clientFiles(
    files: LoginFiles,
  ): { readonly configuration: readonly string[]; readonly knownHosts?: readonly string[] } | undefined;
};

export type IssuedCertificate = {
  /** The line of a `-cert.pub` file. */
  readonly line: string;
  readonly principal: string;
  readonly mfa: boolean;
};

export async function login(
  identity: string | undefined,
  options: LoginOptions,
  context: CommandContext,
): Promise<void> {
  const { output, now } = context;
  const keepIn = placeOf(options, context);
  const issuer = await issuerFor(identity, options, context);
  const files = loginFiles(options.folder ?? join(homedir(), '.sshtrail'), keepIn);
  const present = presentCertificate(files, issuer.principal);
  const isYoung = present !== undefined && !isHalfOver(present, now());
  if (options.renew === true && isYoung && (await isKeyInPlace(files, present))) {
    if (options.json === true) output.line(jsonText({ renewed: false, ...validityOf(present) }));
    return;
  }
  const client = issuer.clientFiles(files);
  const privateKey = generatePrivateKey('ed25519');
  const issued = await issuer.issue(
    formatPublicKeyLine(privateKey.publicKey),
    options.validFor,
    options.renew === true ? present : undefined,
  );
  const certificate = await deliver(files, { privateKey, issued, nowMs: now() }, client);
  if (options.json === true) {
    output.line(
      jsonText({
        renewed: true,
        identity: issued.principal,
        mfa: issued.mfa,
        serial: String(certificate.serial),
        ...validityOf(certificate),
        certificateFile: files.certificate,
        ...(keepIn.kind === 'file' ? { keyFile: files.privateKey } : {}),
        sshConfig: files.sshConfig,
      }),
    );
    return;
  }
  if (options.renew === true) return;
  output.line(
    `${issued.principal} can log in until ${validityOf(certificate).validBefore}${issued.mfa ? ', with a second factor' : ''}: ssh -F ${files.sshConfig} LOGIN@TARGET@${options.name}`,
  );
}

export type KeyPlace = { readonly kind: 'file' } | { readonly kind: 'agent'; readonly socket: string };

function placeOf(options: LoginOptions, { environment }: CommandContext): KeyPlace {
  if (options.agent === true && options.file === true)
    throw new CliError('bad-input', 'the key is kept in the agent or in a file; choose --agent or --file');
  const socket = environment['SSH_AUTH_SOCK'];
  if (options.file === true) return { kind: 'file' };
  if (socket !== undefined && socket !== '') return { kind: 'agent', socket };
  if (options.agent === true)
    throw new CliError(
      'not-found',
      'there is no ssh-agent: SSH_AUTH_SOCK is not set; use --file, or start one',
    );
  return { kind: 'file' };
}

async function issuerFor(
  identity: string | undefined,
  options: LoginOptions,
  context: CommandContext,
): Promise<CertificateIssuer> {
  const api = options.api ?? context.environment['SSHTRAIL_API'];
  if (api === undefined || api === '')
    return (await import('./login-locally.ts')).localIssuer(
      chosenData(options, context),
      identity,
      options,
      context,
    );
  if (identity !== undefined)
    throw new CliError(
      'bad-input',
      'on AWS the certificate is that of your IAM identity; leave the name out',
    );
  return (await import('./login-by-api.ts')).apiIssuer(api, options, context);
}

function isHalfOver({ validAfter, validBefore }: Certificate, nowMs: number): boolean {
  return BigInt(Math.floor(nowMs / 1000)) >= validAfter + (validBefore - validAfter) / 2n;
}

function validityOf({ validAfter, validBefore }: Certificate) {
  return { validAfter: isoTime(validAfter), validBefore: isoTime(validBefore) };
}

function isoTime(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString();
}
