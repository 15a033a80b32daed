import type { KMSClient } from '@aws-sdk/client-kms';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { ensureSecret, openKmsSigner, readParameters } from '#adapters/aws';
import { formatProblems, type HostedConfiguration, loadHosted } from '#core/configuration';
import { loadPolicy, type PolicySet, type PolicySource, problemLines } from '#core/policy';
import {
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  type PrivateKey,
  parsePrivateKey,
  privateKeyAsRemoteSigner,
  type RemoteSigner,
  remoteSigner,
} from '#ssh';
import { TaskError } from './task-identity.ts';

/** Everything a task reads before it opens anything. */
export type TaskInstallation = {
  readonly configuration: HostedConfiguration;
  /** SHA-256 over the parameters. */
  readonly configurationVersion: string;
  readonly policy: PolicySet;
  readonly hostKey: PrivateKey;
  /** Vouches for the gateway as its targets. */
  readonly hostAuthority: RemoteSigner;
  readonly targetAuthority: RemoteSigner;
  /** `type base64` of the key whose certificates identify engineers. */
  readonly engineerAuthority: string;
};

export type TaskInstallationOptions = {
  readonly ssm: SSMClient;
  readonly kms: KMSClient;
  /** `/sshtrail/<name>`. */
  readonly parameterPath: string;
  readonly targetAuthorityKey: string;
  readonly engineerAuthorityKey: string;
  /** Those in force, in place of what stands in Parameter Store. */
  readonly policy?: PolicySet | undefined;
};

/**
 * Reads configuration and policies, and makes the gateway's host key where no task has made one yet.
 * @throws TaskError `unusable-configuration` with every problem; ParametersError, KmsError
 */
export async function loadTaskInstallation(options: TaskInstallationOptions): Promise<TaskInstallation> {
  const { ssm, kms, parameterPath } = options;
  const path = `${parameterPath}/config`;
  const loaded = loadHosted(await readParameters({ client: ssm, path }), path, options.policy !== undefined);
  if (!loaded.ok) throw unusable(formatProblems(loaded.problems));
  const policy = options.policy ?? usablePolicy(loaded.policyTexts);
  const hostKey = await ensureSecret(ssm, `${parameterPath}/host-key`, () =>
    formatPrivateKey(
      generatePrivateKey(loaded.configuration.gateway.algorithms === 'fips' ? 'ecdsa-p256' : 'ed25519'),
      'sshtrail gateway',
    ),
  );
  const hostAuthority = await ensureSecret(ssm, `${parameterPath}/host-authority`, () =>
    formatPrivateKey(generatePrivateKey('ed25519'), 'sshtrail host authority'),
  );
  const engineers = await openKmsSigner({ client: kms, keyId: options.engineerAuthorityKey });
  return {
    configuration: loaded.configuration,
    configurationVersion: loaded.version,
    policy,
    hostKey: parsePrivateKey(hostKey),
    hostAuthority: privateKeyAsRemoteSigner(parsePrivateKey(hostAuthority)),
    targetAuthority: remoteSigner(await openKmsSigner({ client: kms, keyId: options.targetAuthorityKey })),
    engineerAuthority: formatPublicKeyLine(remoteSigner(engineers).publicKey),
  };
}

function usablePolicy(sources: readonly PolicySource[]): PolicySet {
  const loaded = loadPolicy(sources);
  if (!loaded.ok) throw unusable(problemLines(loaded.problems));
  return loaded.policy;
}

function unusable(problems: string): TaskError {
  return new TaskError(
    'unusable-configuration',
    `the configuration in Parameter Store cannot be used; put it right and deploy again:\n${problems}`,
  );
}
