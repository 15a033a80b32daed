import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import type { Identity } from '#core/configuration';
import type { ControlStore } from '#core/contract';
import { issueLoginCertificate, type MfaFacts, refuseLoginCertificate } from '#core/event';
import { type IssuedProof, issuedProofExtensions, parseIssuedProof } from '#core/federation';
import {
  type Certificate,
  formatCertificateLine,
  mintCertificate,
  parsePublicKeyLine,
  type RemoteSigner,
  userExtensions,
  verifyCertificate,
} from '#ssh';
import { createTotpFactor } from '../proxy-task/index.ts';
import { askForCode } from './ask-for-code.ts';
import { CliError } from './cli-error.ts';
import { clientConfiguration, knownHostsLines } from './client-files.ts';
import type { CommandContext } from './command-context.ts';
import type { LoginOptions } from './commands/login.ts';
import type { DataDirectory } from './data-directory.ts';
import { type Installation, loadInstallation } from './installation.ts';
import type { CertificateIssuer, IssuedCertificate } from './login.ts';
import { recordByHand } from './own-journal.ts';
import { withControl } from './sessions-locally.ts';
import { clientFilesOf } from './ssh-config.ts';

/** For clocks of gateways that are behind. */
const backdateSeconds = 30;
/** A working day: then a renewal needs a code again. */
const longestProofMs = 12 * 3_600_000;

/**
 * Gives out certificates by the key in the data directory. Who may read that key could give one to anybody without this command: the
 * code that is asked for here is what the certificate says of its holder, and no hurdle for whoever runs the gateway.
 */
export async function localIssuer(
  data: DataDirectory,
  name: string | undefined,
  options: LoginOptions,
  context: CommandContext,
): Promise<CertificateIssuer> {
  const installation = await loadInstallation(data);
  const authority = authorityOf(installation);
  const identity = personCalled(installation, name ?? userInfo().username);
  return {
    principal: identity.name,
    async issue(publicKeyLine, validForSeconds, present) {
      const carried =
        present === undefined ? undefined : carriedProof(present, authority, identity, context.now());
      const proof =
        carried ??
        (await withControl(data, context.now, (control) =>
          proveFactor(control, data, identity, options, context),
        ));
      const longest = installation.configuration.engineerAuthority?.validForSeconds ?? 0;
      const seconds = Math.min(validForSeconds ?? longest, longest);
      if (options.renew !== true) tellWhatThisMeans(installation, context);
      return issue({ data, authority, identity, proof, seconds, publicKeyLine, context });
    },
    clientFiles(files) {
      const client = clientFilesOf(installation, data, {
        ...options,
        identity: files.identityFile,
        knownHostsFile: files.knownHosts,
      });
      return { configuration: clientConfiguration(client), knownHosts: knownHostsLines(client) };
    },
  };
}

function authorityOf({ engineerAuthority }: Installation): RemoteSigner {
  if (engineerAuthority !== undefined) return engineerAuthority;
  throw new CliError(
    'unusable-data',
    'sshtrail.yaml names no authority for engineers; add engineerAuthority: { keyFile: keys/engineer-ca.pem } and start the gateway again',
  );
}

type Person = Pick<Identity, 'name' | 'type' | 'principalId' | 'groups'> & { readonly totpSecret?: string };

function personCalled({ identities }: Installation, name: string): Person {
  const identity = identities.find((each) => each.name === name);
  if (identity === undefined)
    throw new CliError(
      'not-found',
      `there is no identity ${JSON.stringify(name)} in sshtrail.yaml; say whose certificate: sshtrail login IDENTITY`,
    );
  if (identity.type === 'service')
    throw new CliError('bad-input', `${name} is a service, which logs in with its registered key alone`);
  return identity;
}

/** What the certificate that is renewed says of a second factor: it is not asked for again, and grows no younger. */
function carriedProof(
  present: Certificate,
  authority: RemoteSigner,
  { name }: Person,
  nowMs: number,
): IssuedProof | undefined {
  const verdict = verifyCertificate(present, {
    kind: 'user',
    authorities: [authority.publicKey],
    principal: name,
    nowSeconds: Math.floor(nowMs / 1000),
  });
  const issued = verdict.ok ? parseIssuedProof(present.extensions) : ({ ok: false } as const);
  if (!issued.ok || issued.proof === undefined) return undefined;
  return nowMs - issued.proof.atMs < longestProofMs ? issued.proof : undefined;
}

async function proveFactor(
  control: ControlStore,
  data: DataDirectory,
  identity: Person,
  options: LoginOptions,
  context: CommandContext,
): Promise<IssuedProof | undefined> {
  const factor = createTotpFactor(control, context.now);
  if (!(await factor.has(identity))) return undefined;
  const code = options.code ?? (await askForCode(`Verification code of ${identity.name}: `, context.signal));
  const verdict = await factor.check(identity, code.trim());
  if (verdict.kind === 'accepted') return { method: verdict.method, atMs: context.now() };
  const { reason } = verdict;
  const message =
    reason === 'locked'
      ? `too many wrong codes for ${identity.name}; wait, "sshtrail totp status" says until when`
      : `the code was refused (${reason}); try again with the next one`;
  await recordByHand(
    data,
    context,
    refuseLoginCertificate(userInfo().username, context.now(), {
      principal: identity.name,
      refusal: { errorCode: 'MfaFailed', denyReason: reason, message },
    }),
  );
  throw new CliError('bad-input', message);
}

async function issue(request: {
  readonly data: DataDirectory;
  readonly authority: RemoteSigner;
  readonly identity: Person;
  readonly proof: IssuedProof | undefined;
  readonly seconds: number;
  readonly publicKeyLine: string;
  readonly context: CommandContext;
}): Promise<IssuedCertificate> {
  const { data, authority, identity, proof, seconds, context } = request;
  const { publicKey } = parsePublicKeyLine(request.publicKeyLine);
  const nowMs = context.now();
  const nowSeconds = Math.floor(nowMs / 1000);
  const by = userInfo().username;
  const validAfter = nowSeconds - backdateSeconds;
  const validBefore = nowSeconds + seconds;
  const serial = randomBytes(8).readBigUInt64BE();
  const keyId = `sshtrail:login:${identity.name}`;
  const certificate = await mintCertificate(
    {
      kind: 'user',
      publicKey,
      keyId,
      serial,
      principals: [identity.name],
      validAfter: BigInt(validAfter),
      validBefore: BigInt(validBefore),
      extensions: new Map([
        ...userExtensions.map((each) => [each, ''] as const),
        ...issuedProofExtensions(proof),
      ]),
      nonce: randomBytes(32),
    },
    authority,
  );
  const mfa: MfaFacts =
    proof === undefined ? { verified: false, method: 'none' } : { verified: true, ...proof };
  await recordByHand(
    data,
    context,
    issueLoginCertificate(by, nowMs, {
      principal: identity.name,
      mfa,
      keyId,
      keyFingerprint: publicKey.fingerprint,
      serial,
      validFromMs: validAfter * 1000,
      validToMs: validBefore * 1000,
      authorityFingerprint: authority.publicKey.fingerprint,
    }),
  );
  return {
    line: formatCertificateLine(certificate, `sshtrail ${identity.name}`),
    principal: identity.name,
    mfa: mfa.verified,
  };
}

function tellWhatThisMeans({ configuration }: Installation, { output }: CommandContext): void {
  output.note(
    `who may read ${configuration.engineerAuthority?.keyFile ?? 'the key of engineerAuthority'} in the data directory, as you can, could issue a certificate for any identity of this gateway: let nobody read it but who runs the gateway`,
  );
}
