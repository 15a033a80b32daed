import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createFileSigner } from '#adapters/local';
import { schemaModeline } from '#core/configuration';
import { newTotpSecret } from '#core/totp';
import {
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  type PrivateKey,
  parsePrivateKey,
} from '#ssh';
import { CliError } from './cli-error.ts';
import { type ClientFiles, clientConfiguration, knownHostsLines } from './client-files.ts';
import type { DataDirectory } from './data-directory.ts';

/** The identities that the first run makes: one with a key alone, one with a second factor, too. */
export const demoIdentities = { keyOnly: 'demo', withTotp: 'alice' } as const;

export type FirstRunOptions = {
  readonly listen: { readonly host: string; readonly port: number };
};

/**
 * Makes a data directory for one machine: certificate authority, host key, two demo identities, a policy and the configuration.
 * What is there already is left as it is. Returns true when something was made.
 */
export async function prepareDataDirectory(data: DataDirectory, options: FirstRunOptions): Promise<boolean> {
  if (existsSync(data.configuration)) return false;
  makeFolders(data);
  if (!existsSync(data.userAuthorityKey)) await createFileSigner(data.userAuthorityKey);
  if (!existsSync(data.engineerAuthorityKey)) await createFileSigner(data.engineerAuthorityKey);
  if (!existsSync(data.hostAuthorityKey)) await createFileSigner(data.hostAuthorityKey);
  readOrMakeKey(data.hostKey, 'sshtrail gateway');
  const keyOnly = readOrMakeKey(join(data.demo, 'id_demo'), demoIdentities.keyOnly);
  const withTotp = readOrMakeKey(join(data.demo, 'id_alice'), demoIdentities.withTotp);
  const secret = newTotpSecret(randomBytes);

  write(join(data.demo, 'alice.totp'), `${secret}\n`);
  write(data.policy, starterPolicy);
  mkdirSync(data.playground, { recursive: true, mode: 0o700 });
  // Last, since its presence says that all the rest is there.
  write(
    data.configuration,
    configurationText(
      options,
      formatPublicKeyLine(keyOnly.publicKey),
      formatPublicKeyLine(withTotp.publicKey),
    ),
  );
  return true;
}

/**
 * What `ssh -F` reads, and the known_hosts file beside it: prompt-free for `ssh LOGIN@TARGET@gateway` and, by way of ssh -J, for `ssh LOGIN@TARGET`; with
 * a second Host for the identity that has a second factor.
 */
export function writeClientFiles(
  data: DataDirectory,
  files: Omit<ClientFiles, 'alias' | 'knownHostsFile' | 'identityFile'>,
): void {
  const shared = { ...files, knownHostsFile: data.knownHosts };
  const keyOnly = { ...shared, alias: 'gateway', identityFile: join(data.demo, 'id_demo') };
  const withTotp = {
    ...shared,
    alias: 'gateway-mfa',
    identityFile: join(data.demo, 'id_alice'),
    targets: [],
  };
  write(data.knownHosts, `${knownHostsLines(keyOnly).join('\n')}\n`);
  write(
    data.sshConfig,
    `${[...clientConfiguration(keyOnly), ...clientConfiguration(withTotp)].join('\n')}\n`,
  );
}

function readKeyFile(path: string): PrivateKey {
  return parsePrivateKey(readFileSync(path, 'utf8'));
}

function makeFolders(data: DataDirectory): void {
  try {
    // Beside an existing folder without `recursive`, which never returns where a file system such as /proc refuses the name.
    if (!existsSync(data.root) && existsSync(dirname(data.root))) mkdirSync(data.root, { mode: 0o700 });
    for (const folder of [data.root, data.keys, data.demo, data.lake, data.journal, data.spool])
      mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    throw new CliError(
      'unusable-data',
      `cannot make the data directory ${data.root} (${reason}); choose a folder you may write with --data DIR`,
      { cause: error },
    );
  }
}

function readOrMakeKey(path: string, comment: string): PrivateKey {
  if (existsSync(path)) return readKeyFile(path);
  const key = generatePrivateKey('ed25519');
  write(path, formatPrivateKey(key, comment));
  write(`${path}.pub`, `${formatPublicKeyLine(key.publicKey, comment)}\n`);
  return key;
}

function write(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

function configurationText(options: FirstRunOptions, keyOnly: string, withTotp: string): string {
  return `${schemaModeline(join(import.meta.dirname, '..', 'schema', 'sshtrail.schema.json'))}
# sshtrail on one machine. Every key is in docs/configuration.md; "sshtrail doctor" checks this file.
gateway:
  listen:
    host: ${options.listen.host}
    port: ${options.listen.port}
  proxyId: gateway-1
  eventSource: ssh-proxy.example.com

identities:
  - name: ${demoIdentities.keyOnly}
    groups: [engineers]
    keys:
      - ${keyOnly}
  # Has a second factor: "sshtrail totp code ${demoIdentities.withTotp}" shows the code an authenticator app would.
  - name: ${demoIdentities.withTotp}
    groups: [engineers]
    keys:
      - ${withTotp}
    totp:
      secretFile: demo/alice.totp

# The playground's targets (playground, staging, production) come and go with "sshtrail up". "sshtrail hosts add" puts
# yours here, and "sshtrail hosts scan HOST" shows by which keys a server can be known. For example:
#  - name: web-1
#    host: 192.0.2.10
#    labels: { env: production }
#    hostKeys: ["ssh-ed25519 AAAA..."]   # ssh-keyscan -t ed25519 192.0.2.10
targets: []

policies:
  files: [policy.cedar]

userAuthority:
  keyFile: keys/user-ca.pem

# Signs what "sshtrail login" gives to engineers. No target may trust it.
engineerAuthority:
  keyFile: keys/engineer-ca.pem

hostAuthority:
  keyFile: keys/host-ca.pem

hostKeys:
  files: [keys/host-ed25519]

runbooks:
  SSH-001:
    mode: auto
  SSH-002:
    mode: auto
    inputs:
      exempt_env: sandbox   # sessions on the playground may go without a second factor
`;
}

const starterPolicy = `// Who may do what, in Cedar (https://www.cedarpolicy.com); docs/policy.md has the words. What no policy permits is denied.

@id("playground")
permit (
  principal in Group::"engineers",
  action in [Action::"session", Action::"transfer", Action::"forward"],
  resource in HostGroup::"env=sandbox"
);

// Nobody should be let in here without a second factor, and policy lets them: runbook SSH-002 is the independent check that ends
// such a session within seconds.
@id("staging")
permit (
  principal in Group::"engineers",
  action in [Action::"session", Action::"transfer", Action::"forward"],
  resource in HostGroup::"env=staging"
);

@id("production-with-second-factor")
permit (
  principal in Group::"engineers",
  action in [Action::"session", Action::"transfer", Action::"forward"],
  resource in HostGroup::"env=production"
)
when { context.mfa };

@id("no-forwarding-from-production")
@advice("copy what you need with scp instead")
forbid (principal, action in Action::"forward", resource in HostGroup::"env=production");

@id("no-halting")
@advice("ask whoever runs the machine to restart it")
forbid (principal, action == Action::"exec", resource)
when { context has program && ["halt", "poweroff", "reboot", "shutdown"].contains(context.program) };
`;
