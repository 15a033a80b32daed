import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import {
  addTarget,
  formatProblems,
  type NewTarget,
  parseConfiguration,
  targetLines,
} from '#core/configuration';
import { updateConfiguration } from '#core/event';
import { formatPublicKeyLine, KeyError, type PublicKey, parsePublicKeyLine } from '#ssh';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData, type JsonOption } from './command-context.ts';
import type { AddHostOptions } from './commands/hosts.ts';
import { addressText, scan } from './hosts.ts';
import { readConfiguration } from './installation.ts';
import { jsonText } from './output.ts';
import { recordByHand } from './own-journal.ts';
import { version } from './version.ts';

/** Puts a target into sshtrail.yaml; on record before it is there. */
export async function addHost(name: string, options: AddHostOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const data = chosenData(options, context);
  const { targets } = readConfiguration(data);
  if (targets.some((target) => target.name === name))
    throw new CliError(
      'bad-input',
      `there is a target ${name} already; "sshtrail hosts list" shows it, and sshtrail.yaml is where to change it`,
    );
  const { trust, keys } = await trustFor(options, context);
  const target: NewTarget = {
    name,
    host: options.host,
    port: options.port,
    labels: Object.fromEntries(options.label.map(labelIn)),
    logins: options.login,
    trust,
  };
  const text = readFileSync(data.configuration, 'utf8');
  const changed = addTarget(text, target);
  const parsed = parseConfiguration(changed, data.configuration);
  if (!parsed.ok)
    throw new CliError(
      'bad-input',
      `that is no target, and nothing was written:\n${formatProblems(parsed.problems)}`,
    );
  if (options.scan === true && options.yes !== true) return tellScanned(target, keys, options, context);

  await recordByHand(
    data,
    context,
    updateConfiguration({ proxyId: 'by-hand', version }, context.now(), {
      by: userInfo().username,
      key: `targets.${name}`,
      newValue: JSON.stringify({
        host: target.host,
        port: target.port,
        labels: target.labels,
        hostTrust: trust.kind,
        fingerprints: keys.map(({ fingerprint }) => fingerprint),
      }),
    }),
  );
  replace(data.configuration, text, changed);
  if (options.json === true) output.line(jsonText({ added: name, file: data.configuration }));
  else output.line(`added ${name} to ${data.configuration}`);
  output.note(
    'a gateway that runs knows it after its next start; the server has to trust what "sshtrail hosts authority" prints (TrustedUserCAKeys)',
  );
}

type Trust = { readonly trust: NewTarget['trust']; readonly keys: readonly PublicKey[] };

async function trustFor(options: AddHostOptions, { signal }: CommandContext): Promise<Trust> {
  const ways = [options.key.length > 0, options.authority.length > 0, options.scan === true];
  if (ways.filter((given) => given).length !== 1)
    throw new CliError(
      'bad-input',
      'say by what the server is known: --key LINE, --authority LINE, or --scan; one of the three',
    );
  if (options.scan !== true) {
    const kind = options.key.length > 0 ? 'pinned' : 'authority';
    return trustIn(kind, (kind === 'pinned' ? options.key : options.authority).map(keyIn));
  }
  const { keys } = await scan({ host: options.host, port: options.port }, signal);
  return trustIn('pinned', keys);
}

function trustIn(kind: NewTarget['trust']['kind'], keys: readonly PublicKey[]): Trust {
  return { trust: { kind, keys: keys.map((key) => formatPublicKeyLine(key)) }, keys };
}

function keyIn(line: string): PublicKey {
  try {
    return parsePublicKeyLine(line).publicKey;
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause;
    throw new CliError('bad-input', `that is no line of a .pub file: ${cause.message}`, { cause });
  }
}

function labelIn(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1)
    throw new CliError('bad-input', 'a label is written as --label NAME=VALUE, such as --label env=prod');
  return [text.slice(0, at), text.slice(at + 1)];
}

/** What was seen, and how to add just that: a second look could be at somebody else. */
function tellScanned(
  target: NewTarget,
  keys: readonly PublicKey[],
  options: JsonOption,
  { output }: CommandContext,
): never {
  const found = keys.map((key) => ({
    type: key.type,
    fingerprint: key.fingerprint,
    key: formatPublicKeyLine(key),
  }));
  if (options.json === true) output.line(jsonText({ added: null, keys: found }));
  else {
    for (const { type, fingerprint } of found) output.line(`${type} ${fingerprint}`);
    for (const line of ['', 'targets:', ...targetLines(target, '  ')]) output.line(line);
  }
  throw new CliError(
    'not-verified',
    `nothing was written: compare a fingerprint with one on the console of ${addressText(target)} (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), and then give that key with --key, or all of them with --scan --yes`,
  );
}

/** The whole new text or the whole old one, with the rights the file has; nothing where somebody else changed it meanwhile. */
function replace(path: string, expected: string, text: string): void {
  const file = realpathSync(path);
  const fresh = `${file}.${process.pid}.new`;
  const descriptor = openSync(fresh, 'wx', statSync(file).mode & 0o777);
  try {
    try {
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    if (readFileSync(file, 'utf8') !== expected)
      throw new CliError(
        'unusable-data',
        `${path} was changed by somebody else just now, so it was left alone; run the command again`,
      );
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}
