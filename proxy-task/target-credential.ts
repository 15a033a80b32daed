import type { Target } from '#core/contract';
import {
  type CertificateSpec,
  type ClientCredential,
  formatPublicKeyLine,
  generatePrivateKey,
  type InfoRequest,
  mintCertificate,
  type PrivateKey,
  type RemoteSigner,
  userExtensions,
} from '#ssh';

/** What logs in to a target that takes no certificates. Read when it is wanted and kept by nobody, so that a new one counts at once. */
export type TargetCredential =
  | { readonly kind: 'key'; read(): Promise<PrivateKey> }
  | { readonly kind: 'password'; read(): Promise<string> };

/** How the gateway proves itself to a target: `targetAuthMethod` of the events. */
export type LoginMethod = 'certificate' | 'instance-connect' | 'publickey' | 'password';

/** Lets a key log in to the account of an instance for the next minute. */
export type PushKey = (instanceId: string, login: string, publicKeyLine: string) => Promise<void>;

export type CredentialOptions = {
  readonly target: Target;
  readonly login: string;
  /** `sshtrail:<session id>:<identity>`: the target's own log names the human by it. */
  readonly keyId: string;
  readonly forceCommand?: string;
  /** Where the target takes no certificates. */
  readonly credential?: TargetCredential;
  readonly authority: RemoteSigner;
  readonly certificateSeconds: number;
  readonly certificateBackdateSeconds: number;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  readonly pushKey?: PushKey;
  /** The certificate goes on record before it is used. */
  readonly certificateIssued: (certificate: CertificateSpec) => Promise<void>;
  /** Why a credential could not be read, for whoever runs the gateway. */
  readonly report: (line: string) => void;
};

export type ReadiedCredentials =
  | { readonly ok: true; readonly credentials: readonly ClientCredential[] }
  | { readonly ok: false; readonly message: string };

export function loginMethod(target: Target, credential: TargetCredential | undefined): LoginMethod {
  if (credential !== undefined) return credential.kind === 'key' ? 'publickey' : 'password';
  return target.instance?.auth ?? 'certificate';
}

/** What the target lacks, where it refused what it was shown: the middle of a sentence. */
export function whatTargetNeeds(method: LoginMethod): string {
  switch (method) {
    case 'certificate':
      return "it must trust the gateway's certificate authority (TrustedUserCAKeys)";
    case 'instance-connect':
      return 'it must run EC2 Instance Connect';
    case 'publickey':
      return 'it must have the configured key in authorized_keys';
    case 'password':
      return 'it must take the configured password';
  }
}

/**
 * Gets ready what the target is shown. Nothing of it leaves the gateway before `hostKeyOnRecord` settles, and the secrets of a
 * target are not even read before: whoever answers in its place is given none.
 */
export async function readyCredentials(
  options: CredentialOptions,
  hostKeyOnRecord: Promise<void>,
): Promise<ReadiedCredentials> {
  const { target, credential, forceCommand } = options;
  const method = loginMethod(target, credential);
  if (method === 'certificate') {
    const [minted] = await Promise.all([mintOnRecord(options), hostKeyOnRecord]);
    return { ok: true, credentials: [minted] };
  }
  await hostKeyOnRecord;
  // Only a certificate tells the target of it.
  if (forceCommand !== undefined)
    return no(
      `your certificate permits one command only, and ${target.name} takes no certificates, so it could not be held to that`,
    );
  return credential === undefined ? pushedKey(options) : readCredential(credential, options);
}

async function readCredential(
  credential: TargetCredential,
  { target, report }: CredentialOptions,
): Promise<ReadiedCredentials> {
  try {
    return {
      ok: true,
      credentials:
        credential.kind === 'key'
          ? [{ method: 'publickey', privateKey: await credential.read() }]
          : byPassword(await credential.read()),
    };
  } catch (error) {
    report(
      `the credential for ${target.name} cannot be read: ${error instanceof Error ? error.message : 'unknown fault'}`,
    );
    return no(`the gateway cannot read what logs it in to ${target.name}; tell whoever runs sshtrail`);
  }
}

/**
 * One password for whichever of the two methods the target goes on with, given once: a second try of a wrong one locks accounts, and
 * a second question is for something else, a code or a new password.
 */
function byPassword(password: string): readonly ClientCredential[] {
  let given = false;
  return [
    {
      method: 'password',
      get password() {
        given = true;
        return password;
      },
    },
    {
      method: 'keyboard-interactive',
      respond({ prompts }: InfoRequest) {
        const [prompt, ...more] = prompts;
        if (given || prompt === undefined || prompt.echo || more.length > 0)
          throw new Error('the target asks for something else than a password');
        given = true;
        return [password];
      },
    },
  ];
}

/** A key of this session alone, which the instance accepts for a minute. */
async function pushedKey({ target, login, pushKey }: CredentialOptions): Promise<ReadiedCredentials> {
  if (pushKey === undefined || target.instance === undefined)
    return no(`${target.name} wants EC2 Instance Connect, which this gateway does not have`);
  const privateKey = generatePrivateKey('ed25519');
  try {
    await pushKey(target.instance.id, login, formatPublicKeyLine(privateKey.publicKey));
  } catch (error) {
    return no(
      `EC2 Instance Connect does not take a key for ${target.name}: ${error instanceof Error ? error.message : 'no reason given'}`,
    );
  }
  return { ok: true, credentials: [{ method: 'publickey', privateKey }] };
}

async function mintOnRecord(options: CredentialOptions): Promise<ClientCredential> {
  const privateKey = generatePrivateKey('ed25519');
  const nowSeconds = BigInt(Math.floor(options.now() / 1000));
  const spec: CertificateSpec = {
    kind: 'user',
    publicKey: privateKey.publicKey,
    keyId: options.keyId,
    serial: options.randomBytes(8).readBigUInt64BE(),
    principals: [options.login],
    validAfter: nowSeconds - BigInt(options.certificateBackdateSeconds),
    validBefore: nowSeconds + BigInt(options.certificateSeconds),
    extensions: userExtensions,
    nonce: options.randomBytes(32),
    ...(options.forceCommand === undefined
      ? {}
      : { criticalOptions: new Map([['force-command', options.forceCommand]]) }),
  };
  const certificate = await mintCertificate(spec, options.authority);
  await options.certificateIssued(spec);
  return { method: 'publickey', privateKey, certificate };
}

function no(message: string): ReadiedCredentials {
  return { ok: false, message };
}
