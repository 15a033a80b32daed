import type { z } from 'zod';
import type { Target } from '../contract/index.ts';
import type { configurationSchema } from './configuration-schema.ts';

type Written = z.output<typeof configurationSchema>;

/** One `sshtrail.yaml`, checked, with every default filled in. File names are as written: relative ones to the folder of the file. */
export type Configuration = {
  readonly gateway: Readonly<Written['gateway']>;
  readonly identities: readonly Identity[];
  /** Keys as `type base64` whose user certificates identify: a principal of the certificate is an identity's name. */
  readonly trustedUserAuthorities: readonly string[];
  readonly targets: readonly TargetEntry[];
  readonly policies: { readonly files: readonly string[] };
  /** What signs the certificate each session shows to its target. */
  readonly userAuthority: Readonly<Written['userAuthority']>;
  /** What signs the certificates by which engineers log in here. */
  readonly engineerAuthority?: { readonly keyFile: string; readonly validForSeconds: number };
  readonly hostAuthority?: { readonly keyFile: string };
  readonly hostKeys: { readonly files: readonly string[]; readonly passphraseFile?: string | undefined };
  readonly recording: Readonly<Written['recording']>;
  readonly redaction: Readonly<Written['redaction']>;
  readonly evidence: Readonly<Written['evidence']>;
  readonly access: Readonly<Written['access']>;
  readonly runbooks: {
    readonly directory?: string;
    /** By runbook id. */
    readonly settings: Readonly<Record<string, RunbookSetting>>;
  };
  readonly notify: { readonly webhook?: string };
};

export type Identity = {
  readonly name: string;
  readonly type: 'person' | 'service';
  readonly groups: readonly string[];
  /** `type base64`. */
  readonly keys: readonly string[];
  readonly totp?: TotpSource;
  /** Addresses and ranges it may come from; any where absent. */
  readonly sources?: readonly string[];
  /** Stable id for the events; the name where none was given. */
  readonly principalId: string;
};

type TotpSource =
  /** Base32. */
  { readonly kind: 'secret'; readonly secret: string } | { readonly kind: 'file'; readonly path: string };

/** A private key in a file, and the file of its passphrase where it has one. */
export type KeyFile = { readonly keyFile: string; readonly passphraseFile?: string | undefined };

/** What logs in to a target that takes no certificates: a key that it has in authorized_keys, or a password, in files. */
export type CredentialFile =
  | ({ readonly kind: 'key' } & KeyFile)
  | { readonly kind: 'password'; readonly passwordFile: string };

export type TargetEntry<Credential = CredentialFile> = Target & {
  /** Where the target takes no certificates. */
  readonly credential?: Credential;
  /** Accounts that exist there for engineers; undefined leaves it to the policies. */
  readonly logins?: readonly string[];
};

export type RunbookSetting = {
  readonly mode: 'auto' | 'dry-run' | 'off';
  readonly inputs: Readonly<Record<string, string | number | boolean>>;
};
