import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { constants, setPriority, userInfo } from 'node:os';
import { join } from 'node:path';
import { startStalledLoad } from '../support/stalled-load.ts';
import { startChild } from './child.ts';
import type { Figure } from './figure.ts';
import { targetName } from './gateway.ts';
import { openTerminal, press } from './keystrokes.ts';
import { endProcess, openSshPaths, type SshPaths } from './ssh-paths.ts';
import { percentile } from './statistics.ts';
import type { Family } from './workbench.ts';

const keys = 1000;
/** A gateway that has just started compiles what it runs for the first time; its users have long been there. */
const warmUpLogins = 20;
const warmUpKeys = 100;
const pauseMs = 4;
const stalledPerStep = 1000;
const logins = 10;
const attacks = ['ignored-windows', 'global-requests', 'never-reading', 'hundred-thousand-channels'];

export const hostile: Family = {
  name: 'hostile',
  about: `${keys} keys of a session beside each kind of hostile peer, and stock logins beside ${10 * stalledPerStep} connections that stop half-way`,
  onRequest: true,
  async measure(workbench) {
    const ssh = await openSshPaths(workbench, { limitsSources: true });
    const figures: Figure[] = [];
    for (let count = 0; count < warmUpLogins; count += 1) await logIn(ssh);
    await type(ssh, warmUpKeys);
    for (const attack of attacks) {
      const attacker = await startChild('hostile-process.ts', [
        `${ssh.gateway.port}`,
        `${userInfo().username}@${targetName}`,
        ssh.premises.engineerKeyFile,
        attack,
      ]);
      // An attacker's processor is not the gateway's: here it gets what the others leave.
      setPriority(attacker.pid, constants.priority.PRIORITY_LOW);
      const { ours, direct } = await type(ssh, keys);
      await attacker.stop();
      workbench.progress(
        `hostile: beside ${attack} p99 ${percentile(ours, 0.99).toFixed(2)} ms, direct ${percentile(direct, 0.99).toFixed(2)} ms`,
      );
      figures.push(
        figureOf(`keystroke-beside-${attack}`, 'ms', ours, 10),
        figureOf(`keystroke-direct-beside-${attack}`, 'ms', direct, 10),
      );
    }
    const folder = join(workbench.folder, 'stalled');
    mkdirSync(folder);
    const crowded = await openSshPaths({ ...workbench, folder });
    await logIn(crowded);
    const before = crowded.gateway.usage().rssBytes;
    const load = await startStalledLoad(crowded.gateway.port, stalledPerStep);
    workbench.defer(() => load.stop());
    workbench.progress(`hostile: ${load.held} of ${10 * stalledPerStep} stalled connections hold a place`);
    const heldBytes = crowded.gateway.usage().rssBytes - before;
    const seconds: number[] = [];
    for (let count = 0; count < logins; count += 1) seconds.push(await logIn(crowded));
    figures.push(figureOf('login-beside-stalled', 's', seconds, 1), {
      name: 'memory-of-stalled',
      unit: 'MiB',
      measured: { kind: 'value', value: heldBytes / 1024 / 1024 },
      against: { kind: 'promise', bound: { direction: 'at-most', limit: 100 } },
    });
    return figures;
  },
};

function figureOf(name: string, unit: string, values: readonly number[], limit: number): Figure {
  return {
    name,
    unit,
    measured: { kind: 'percentiles', p50: percentile(values, 0.5), p99: percentile(values, 0.99) },
    against: { kind: 'promise', bound: { direction: 'at-most', limit } },
  };
}

/** Keys through the gateway and past it, in turns, since client, attacker, gateway and target share the machine. */
async function type(
  ssh: SshPaths,
  count: number,
): Promise<{ readonly ours: readonly number[]; readonly direct: readonly number[] }> {
  const [gateway, past] = [await openTerminal(ssh, 'sshtrail'), await openTerminal(ssh, 'direct')];
  const ours: number[] = [];
  const direct: number[] = [];
  for (let key = 0; key < count; key += 1) {
    ours.push(await press(gateway));
    direct.push(await press(past));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  await endProcess(gateway);
  await endProcess(past);
  return { ours, direct };
}

async function logIn(ssh: SshPaths): Promise<number> {
  const started = performance.now();
  const child = spawn('ssh', [...ssh.arguments('sshtrail'), 'true'], { stdio: 'ignore' });
  await once(child, 'close');
  return (performance.now() - started) / 1000;
}
