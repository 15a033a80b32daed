import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Target } from '#core/contract';
import { formatPrivateKey, formatPublicKeyLine, type PrivateKey } from '#ssh';
import { startBuiltinTarget } from './builtin-target.ts';
import { findSshd, startPrivateSshd } from './private-sshd.ts';

/** Servers to try things on: one process on this machine, in the inventory under three names with three labels. */
export type Playground = {
  readonly targets: readonly Target[];
  /** The account to log in as: the user who runs this process. */
  readonly login: string;
  readonly server: 'sshd' | 'built-in';
  /** The target's own log, where it has one. */
  readonly logFile?: string;
  stop(): Promise<void>;
};

/** Label `env` by target. */
export const playgroundEnvironments: Readonly<Record<string, string>> = {
  playground: 'sandbox',
  staging: 'staging',
  production: 'production',
};

export async function startPlayground(options: {
  readonly directory: string;
  readonly authority: string;
  readonly hostKey: PrivateKey;
}): Promise<Playground> {
  const login = userInfo().username;
  const hostKeyLine = formatPublicKeyLine(options.hostKey.publicKey);
  if (findSshd(process.env['PATH'] ?? '') === undefined) {
    const target = await startBuiltinTarget({
      authority: options.authority,
      hostKey: options.hostKey,
      login,
    });
    return {
      targets: targetsOn(target.port, hostKeyLine),
      login,
      server: 'built-in',
      stop: () => target.stop(),
    };
  }
  const sshd = await startPrivateSshd({
    directory: join(options.directory, 'sshd'),
    authority: options.authority,
    hostKey: formatPrivateKey(options.hostKey, 'playground'),
  });
  return {
    targets: targetsOn(sshd.port, hostKeyLine),
    login,
    server: 'sshd',
    logFile: sshd.logFile,
    stop: () => sshd.stop(),
  };
}

function targetsOn(port: number, hostKey: string): readonly Target[] {
  return Object.entries(playgroundEnvironments).map(([name, env]) => ({
    name,
    host: '127.0.0.1',
    port,
    labels: { env },
    hostTrust: { kind: 'pinned', keys: [hostKey] },
  }));
}
