import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createFileSigner, openFileSigner, SignerError } from '#adapters/local';
import {
  type Configuration,
  type CredentialFile,
  formatProblems,
  type Identity,
  type KeyFile,
  parseConfiguration,
} from '#core/configuration';
import type { Signer } from '#core/contract';
import { passwordIn } from '#core/inventory';
import { loadPolicy, type PolicySet, problemLines } from '#core/policy';
import { KeyError, type PrivateKey, parsePrivateKey, type RemoteSigner, remoteSigner } from '#ssh';
import type { TargetCredential } from '../proxy-task/index.ts';
import { CliError } from './cli-error.ts';
import type { DataDirectory } from './data-directory.ts';
import { type PolicyFile, readPolicyFiles } from './policy-files.ts';
import { systemErrorCode } from './system-error.ts';

/** A configuration with everything it names read: what a gateway needs before it opens anything. */
export type Installation = {
  readonly configuration: Configuration;
  readonly identities: readonly (Omit<Identity, 'totp'> & { readonly totpSecret?: string })[];
  readonly policy: PolicySet;
  readonly hostKeys: readonly PrivateKey[];
  readonly userAuthority: RemoteSigner;
  /** Signs what engineers log in by, and nothing that a target trusts. */
  readonly engineerAuthority?: RemoteSigner;
  readonly hostAuthority?: RemoteSigner;
  /** By target name: what logs in to those that take no certificates. */
  readonly targetCredentials: ReadonlyMap<string, TargetCredential>;
};

/**
 * Reads sshtrail.yaml and the files it names; those of policies not where others are in force anyway.
 * @throws CliError that lists every problem.
 */
export async function loadInstallation(data: DataDirectory, inForce?: PolicySet): Promise<Installation> {
  const configuration = readConfiguration(data);
  const inFolder = (path: string) => resolve(dirname(data.configuration), path);
  const signer = await openFileSigner(inFolder(configuration.userAuthority.keyFile));
  const { engineerAuthority, hostAuthority } = configuration;
  return {
    configuration,
    identities: configuration.identities.map(({ totp, ...identity }) => ({
      ...identity,
      ...(totp === undefined
        ? {}
        : { totpSecret: totp.kind === 'secret' ? totp.secret : readSecret(inFolder(totp.path)).trim() }),
    })),
    policy: inForce ?? (await readPolicy(policyFiles(data, configuration))),
    hostKeys: configuration.hostKeys.files.map((keyFile) =>
      readKey({ keyFile, passphraseFile: configuration.hostKeys.passphraseFile }, inFolder),
    ),
    targetCredentials: new Map(
      configuration.targets.flatMap(({ name, credential }): [string, TargetCredential][] =>
        credential === undefined ? [] : [[name, targetCredential(credential, inFolder)]],
      ),
    ),
    userAuthority: remoteSigner(signer),
    ...(engineerAuthority === undefined
      ? {}
      : { engineerAuthority: remoteSigner(await openOrMakeSigner(inFolder(engineerAuthority.keyFile))) }),
    ...(hostAuthority === undefined
      ? {}
      : { hostAuthority: remoteSigner(await openFileSigner(inFolder(hostAuthority.keyFile))) }),
  };
}

export function readConfiguration(data: DataDirectory): Configuration {
  const parsed = parseConfiguration(
    readText(data.configuration, 'run "sshtrail up" once to make one'),
    data.configuration,
  );
  if (!parsed.ok)
    throw new CliError(
      'unusable-data',
      `the configuration cannot be used:\n${formatProblems(parsed.problems)}`,
    );
  return parsed.configuration;
}

/** The files of policies that the configuration names. */
export function policyFiles(
  data: DataDirectory,
  { policies }: Pick<Configuration, 'policies'>,
): readonly PolicyFile[] {
  return policies.files.map((file) => ({ file, path: resolve(dirname(data.configuration), file) }));
}

/** @throws CliError with every problem */
export async function readPolicy(files: readonly PolicyFile[]): Promise<PolicySet> {
  const loaded = loadPolicy(await readPolicyFiles(files));
  if (loaded.ok) return loaded.policy;
  throw new CliError(
    'unusable-data',
    `the policies cannot be used, so nothing would be allowed:\n${problemLines(loaded.problems)}`,
  );
}

function readText(path: string, advice: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliError(
      'unusable-data',
      `cannot read ${path} (${systemErrorCode(error) ?? 'unknown'}); ${advice}`,
      { cause: error },
    );
  }
}

function readKey({ keyFile, passphraseFile }: KeyFile, inFolder: (path: string) => string): PrivateKey {
  const text = readSecret(inFolder(keyFile));
  try {
    return parsePrivateKey(
      text,
      passphraseFile === undefined ? undefined : readSecret(inFolder(passphraseFile)).replace(/\r?\n$/, ''),
    );
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause;
    throw new CliError('unusable-data', `${keyFile}: ${cause.message}`, { cause });
  }
}

/** Both are read now, so that a start fails where they are not good; a password again at each login, for it changes more often. */
function targetCredential(credential: CredentialFile, inFolder: (path: string) => string): TargetCredential {
  if (credential.kind === 'key') {
    const key = readKey(credential, inFolder);
    return { kind: 'key', read: async () => key };
  }
  const read = () => readPassword(inFolder(credential.passwordFile));
  read();
  return { kind: 'password', read: async () => read() };
}

function readPassword(path: string): string {
  const password = passwordIn(readSecret(path));
  if (password === undefined)
    throw new CliError(
      'unusable-data',
      `${path} holds no password; write it there on one line, and nothing else`,
    );
  return password;
}

/** The key in a file, made where there is none. */
export async function openOrMakeSigner(path: string): Promise<Signer> {
  if (existsSync(path)) return openFileSigner(path);
  try {
    return await createFileSigner(path);
  } catch (error) {
    // Another process was faster.
    if (error instanceof SignerError && error.code === 'exists') return openFileSigner(path);
    throw error;
  }
}

/** Reads a private key or secret, and refuses one that others can read: whoever can read it can use it. */
function readSecret(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    throw new CliError(
      'unusable-data',
      `cannot read ${path} (${systemErrorCode(error) ?? 'unknown'}); the configuration names it`,
      { cause: error },
    );
  }
  try {
    if ((fstatSync(descriptor).mode & 0o077) !== 0)
      throw new CliError(
        'unusable-data',
        `${path} can be read by others, so it is no secret; run: chmod 600 ${path}`,
      );
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}
