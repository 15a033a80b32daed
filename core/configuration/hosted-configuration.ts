import type { z } from 'zod';
import type { Configuration, RunbookSetting, TargetEntry } from './configuration.ts';
import type { hostedConfigurationSchema } from './hosted-schema.ts';

type Written = z.output<typeof hostedConfigurationSchema>;

/** The AWS form's `sshtrail.yaml`, checked, with every default filled in. Names no files. */
export type HostedConfiguration = Pick<
  Configuration,
  'identities' | 'trustedUserAuthorities' | 'recording' | 'redaction' | 'access'
> & {
  readonly targets: readonly TargetEntry<StoredCredential>[];
  /** The rest the deployment gives. */
  readonly gateway: Readonly<Written['gateway']>;
  readonly awsIdentities: readonly AwsIdentity[];
  readonly certificate: Readonly<Written['certificate']>;
  readonly ec2Inventory?: Ec2InventorySettings;
  readonly runbooks: {
    /** By runbook id. */
    readonly settings: Readonly<Record<string, RunbookSetting>>;
  };
};

/** What logs in to a target that takes no certificates, in a store for secrets. */
export type StoredCredential = {
  readonly kind: 'key' | 'password';
  readonly store: 'parameter-store' | 'secrets-manager';
  /** Below what the deployment has there for its targets. */
  readonly name: string;
};

export type AwsIdentity = {
  /** Of a user, or of sessions of a role; `*` stands for any text. */
  readonly arn: string;
  readonly groups: readonly string[];
};

export type Ec2InventorySettings = {
  readonly enabled: boolean;
  readonly nameTag: string;
  /** All must be there, with these values. */
  readonly selectTags: Readonly<Record<string, string>>;
  readonly labelTags: readonly string[];
  readonly loginsTag?: string;
  readonly address: 'private' | 'public';
  readonly hostAuthority?: {
    /** `type base64`. */
    readonly keys: readonly string[];
  };
  readonly dial: 'direct' | 'ssm';
  readonly auth: 'certificate' | 'instance-connect';
};

/** The groups of an identity that IAM proved: those of every entry that fits, each once. None where no entry does. */
export function groupsOf(awsIdentities: readonly AwsIdentity[], arn: string): readonly string[] {
  return [...new Set(awsIdentities.flatMap((entry) => (fits(entry.arn, arn) ? entry.groups : [])))];
}

/** In a time that no pattern can make longer than the two lengths multiplied. */
function fits(pattern: string, text: string): boolean {
  const [head = '', ...pieces] = pattern.split('*');
  const tail = pieces.pop();
  if (tail === undefined) return text === head;
  if (!text.startsWith(head)) return false;
  let at = head.length;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return text.length - tail.length >= at && text.endsWith(tail);
}
