import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createFileSigner } from '#adapters/local';
import { schemaModeline } from '#core/configuration';
import { newTotpSecret } from '#core/totp';
import {
  formatKnownHostsLine,
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  type PrivateKey,
  parsePrivateKey,
} from '#ssh';
import { CliError } from './cli-error.ts';
import type { DataDirectory } from './data-directory.ts';

/** The identities that the first run makes: one with a key alone, one with a second factor, too. */
export const demoIdentities = { keyOnly: 'demo', withTotp: 'alice' } as const;

/** The name under which the gateway's host key stands in known_hosts, whatever the port. */
const hostKeyAlias = 'sshtrail-gateway';

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
  const hostKey = readOrMakeKey(data.hostKey, 'sshtrail gateway');
  const keyOnly = readOrMakeKey(join(data.demo, 'id_demo'), demoIdentities.keyOnly);
  const withTotp = readOrMakeKey(join(data.demo, 'id_alice'), demoIdentities.withTotp);
  const secret = newTotpSecret(randomBytes);

  write(join(data.demo, 'alice.totp'), `${secret}\n`);
  write(
    data.knownHosts,
    `${formatKnownHostsLine({ patterns: [hostKeyAlias], publicKey: hostKey.publicKey })}\n`,
  );
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

/** What `ssh -F` reads: prompt-free for `ssh LOGIN@TARGET@gateway`, with a second Host for the identity that has a second factor. */
export function writeSshConfig(
  data: DataDirectory,
  gateway: { readonly host: string; readonly port: number },
): void {
  const lines = [
    'Host gateway gateway-mfa',
    `  HostName ${gateway.host}`,
    `  Port ${gateway.port}`,
    `  HostKeyAlias ${hostKeyAlias}`,
    `  UserKnownHostsFile ${quotedPath(data.knownHosts)}`,
    '  StrictHostKeyChecking yes',
    '  IdentitiesOnly yes',
    'Host gateway',
    `  IdentityFile ${quotedPath(join(data.demo, 'id_demo'))}`,
    'Host gateway-mfa',
    `  IdentityFile ${quotedPath(join(data.demo, 'id_alice'))}`,
  ];
  write(data.sshConfig, `${lines.join('\n')}\n`);
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

/** ssh_config takes double quotes around a path with blanks; a quote inside cannot be said. */
function quotedPath(path: string): string {
  if (/["\n]/.test(path))
    throw new CliError(
      'unusable-data',
      `the data directory ${JSON.stringify(path)} has a quote or a line feed in its path, which ssh cannot read; choose another with --data DIR`,
    );
  return `"${path}"`;
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

# The playground's targets (playground, staging, production) come and go with "sshtrail up". Yours go here, for example:
#  - name: web-1
#    host: 192.0.2.10
#    labels: { env: production }
#    hostKeys: ["ssh-ed25519 AAAA..."]   # ssh-keyscan -t ed25519 192.0.2.10
targets: []

policies:
  files: [policy.cedar]

userAuthority:
  keyFile: keys/user-ca.pem

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
permit (principal in Group::"engineers", action, resource in HostGroup::"env=sandbox");

// Nobody should be let in here without a second factor, and policy lets them: runbook SSH-002 is the independent check that ends
// such a session within seconds.
@id("staging")
permit (principal in Group::"engineers", action, resource in HostGroup::"env=staging");

@id("production-with-second-factor")
permit (principal in Group::"engineers", action, resource in HostGroup::"env=production")
when { context.mfa };

@id("no-forwarding-from-production")
@advice("copy what you need with scp instead")
forbid (principal, action in Action::"forward", resource in HostGroup::"env=production");

@id("no-halting")
@advice("ask whoever runs the machine to restart it")
forbid (principal, action == Action::"exec", resource)
when { context has program && ["halt", "poweroff", "reboot", "shutdown"].contains(context.program) };
`;
