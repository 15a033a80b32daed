import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { answeringEnvironment } from '../../cli/demo/stage.ts';
import type { Person } from './people.ts';
import { until } from './processes.ts';
import type { Stage } from './stage.ts';

export type OpenSession = SshClient & {
  /** Once its StartSession is known. */
  id: string;
};

export type SshClient = {
  readonly process: ChildProcess;
  /** Of both streams. */
  readonly output: () => string;
  /** Undefined while it runs. */
  readonly endedAtMs: () => number | undefined;
};

export type SshLogin = {
  readonly person: Person;
  readonly port: number;
  readonly target?: 'web-1' | 'db-1';
  readonly command: string;
  /** To whatever the login asks; without one, ssh may be asked nothing. */
  readonly answer?: string;
};

/** A command that says that it runs, and stays. */
export const stayOpen = 'echo open as $(id -un); exec sleep 600';

export async function openSession(
  on: Stage,
  person: Person,
  port: number,
  target: SshLogin['target'] = 'web-1',
): Promise<OpenSession> {
  const client = startSsh(on, { person, port, target, command: stayOpen });
  await until(
    `${person} is on the target`,
    20_000,
    () => {
      if (client.endedAtMs() !== undefined) throw new Error(`ssh of ${person} ended: ${client.output()}`);
      return client.output().includes('open as') ? true : undefined;
    },
    client.output,
  );
  return { ...client, id: '' };
}

/** The stock client, with the certificate of a person. */
export function startSsh(on: Stage, login: SshLogin): SshClient {
  let output = '';
  let endedAtMs: number | undefined;
  const child = spawn('ssh', [...sshOptions(on, login), login.command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: answeringEnvironment(on.askpass, login.answer),
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.once('close', () => {
    endedAtMs = Date.now();
  });
  return { process: child, output: () => output, endedAtMs: () => endedAtMs };
}

function sshOptions(on: Stage, { person, port, target = 'web-1', answer }: SshLogin): readonly string[] {
  const options = [
    `Port=${port}`,
    `IdentityFile=${join(on.folder, 'keys', person)}`,
    `CertificateFile=${join(on.folder, 'keys', `${person}-cert.pub`)}`,
    'IdentitiesOnly=yes',
    `BatchMode=${answer === undefined ? 'yes' : 'no'}`,
    `UserKnownHostsFile=${join(on.folder, 'known_hosts')}`,
    'StrictHostKeyChecking=yes',
  ];
  return [
    '-F',
    '/dev/null',
    ...options.flatMap((option) => ['-o', option]),
    `${on.login}@${target}@127.0.0.1`,
  ];
}
