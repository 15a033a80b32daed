import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type Configuration, type NewTarget, targetLines } from '#core/configuration';
import type { HostTrust } from '#core/contract';
import { formatPublicKeyLine, TransportError } from '#ssh';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData, type DataOption, type JsonOption } from './command-context.ts';
import type { DataDirectory } from './data-directory.ts';
import { loadInstallation, readConfiguration } from './installation.ts';
import { jsonText, printable, table } from './output.ts';
import { type ScannedHost, scanHost } from './scan-host.ts';

const scanTimeoutMs = 5_000;

export type Server = { readonly host: string; readonly port: number };

export async function listHosts(options: DataOption & JsonOption, context: CommandContext): Promise<void> {
  const { output } = context;
  const { targets } = readConfiguration(chosenData(options, context));
  const listed = targets.map(({ name, host, port, labels, logins, hostTrust, credential }) => ({
    name,
    host,
    port,
    labels,
    logins: logins ?? null,
    hostTrust: hostTrust.kind,
    fingerprints: fingerprintsOf(hostTrust),
    login: credential?.kind ?? 'certificate',
  }));
  if (options.json === true) return output.line(jsonText(listed));
  const rows = listed.map((target) => ({
    name: target.name,
    address: addressText(target),
    labels: Object.entries(target.labels)
      .map(([label, value]) => `${label}=${value}`)
      .join(' '),
    logins: target.logins === null ? 'any' : target.logins.join(' '),
    login_by: target.login,
    host_keys: `${target.hostTrust} ${target.fingerprints.join(' ')}`,
  }));
  for (const line of table(listColumns, rows, output.colour)) output.line(line);
  if (targets.length === 0)
    output.note('there is no target in sshtrail.yaml; add one with "sshtrail hosts add"');
}

const listColumns = ['name', 'address', 'labels', 'logins', 'login_by', 'host_keys'];

export async function printAuthority(
  options: DataOption & JsonOption,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const { userAuthority } = await loadInstallation(chosenData(options, context));
  const line = formatPublicKeyLine(userAuthority.publicKey, 'sshtrail');
  if (options.json === true)
    output.line(jsonText({ key: line, fingerprint: userAuthority.publicKey.fingerprint }));
  else output.line(line);
}

export async function scanServer(
  text: string,
  options: DataOption & JsonOption,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const known = targetNamed(chosenData(options, context), text);
  const server = known ?? serverIn(text);
  const { keys, certificate } = await scan(server, context.signal);
  const onRecord = known === undefined ? [] : fingerprintsOf(known.hostTrust);
  const vouched = certificate !== undefined && onRecord.includes(certificate.signatureKey.fingerprint);
  const entry: NewTarget = {
    name: known?.name ?? nameFor(server.host),
    ...server,
    labels: known?.labels ?? {},
    logins: known?.logins ?? [],
    trust: { kind: 'pinned', keys: keys.map((key) => formatPublicKeyLine(key)) },
  };
  const found = keys.map((key) => ({
    type: key.type,
    fingerprint: key.fingerprint,
    on_record: onRecord.includes(key.fingerprint),
    key: formatPublicKeyLine(key),
  }));
  if (options.json === true) {
    const shown =
      certificate === undefined
        ? null
        : {
            authority: formatPublicKeyLine(certificate.signatureKey),
            authorityFingerprint: certificate.signatureKey.fingerprint,
            principals: certificate.principals,
            onRecord: vouched,
          };
    return output.line(jsonText({ ...server, keys: found, certificate: shown }));
  }
  for (const line of table(['type', 'fingerprint', 'on_record'], found, output.colour)) output.line(line);
  if (certificate !== undefined)
    output.line(
      `host certificate of the authority ${certificate.signatureKey.fingerprint} for ${printable(certificate.principals.slice(0, 16).join(', '))}`,
    );
  for (const line of ['', 'targets:', ...targetLines(entry, '  ')]) output.line(line);
  tellTrust(context, server, {
    known: known !== undefined,
    matches: vouched || found.some((key) => key.on_record),
  });
}

function tellTrust(
  { output }: CommandContext,
  server: Server,
  { known, matches }: { readonly known: boolean; readonly matches: boolean },
): void {
  if (known && !matches)
    output.note(
      'NONE of these is what sshtrail.yaml has for this target: find out why before anybody goes on; sessions to it are refused',
    );
  output.note(
    `nothing is trusted by this: whoever sits between could answer for ${addressText(server)}. Compare a fingerprint with the server's own, on its console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`,
  );
}

/** @throws CliError where the server cannot be asked, or has no key that can be used */
export async function scan(server: Server, signal: AbortSignal): Promise<ScannedHost> {
  let scanned: ScannedHost;
  try {
    scanned = await scanHost({ ...server, timeoutMs: scanTimeoutMs, signal });
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    throw new CliError(
      'unreachable',
      `${addressText(server)} cannot be asked for its keys (${printable(error.message)}); see whether an SSH server answers there`,
      { cause: error },
    );
  }
  if (scanned.keys.length === 0)
    throw new CliError(
      'unreachable',
      `${addressText(server)} has no host key that can be used; give it one: ssh-keygen -A on the server`,
    );
  return scanned;
}

export function addressText({ host, port }: Server): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** As ssh-keygen -l prints them. */
function fingerprintsOf({ keys }: HostTrust): readonly string[] {
  return keys.map((line) => {
    const [, base64 = ''] = line.split(' ');
    const digest = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64');
    return `SHA256:${digest.replace(/=+$/, '')}`;
  });
}

/** A server may be looked at before there is any configuration. */
function targetNamed(data: DataDirectory, name: string): Configuration['targets'][number] | undefined {
  if (!existsSync(data.configuration)) return undefined;
  return readConfiguration(data).targets.find((target) => target.name === name);
}

function serverIn(text: string): Server {
  const [, inBrackets, plain, port = '22'] =
    /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = inBrackets ?? plain;
  if (host === undefined || host.startsWith('-') || Number(port) < 1 || Number(port) > 65_535)
    throw new CliError(
      'bad-input',
      'say which server: the name of a target, HOST, HOST:PORT or [ADDRESS]:PORT; "sshtrail hosts list" has the targets',
    );
  return { host, port: Number(port) };
}

/** A target's name may be the host's first label; an address is none. */
function nameFor(host: string): string {
  const [label = ''] = host.toLowerCase().split('.');
  return /^[a-z][a-z0-9_-]{0,127}$/.test(label) && !host.includes(':') ? label : 'NAME';
}
