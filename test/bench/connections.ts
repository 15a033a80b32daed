import type { Figure } from './figure.ts';
import { openSshPaths, type PathName, pathLabels, pathNames, type SshPaths } from './ssh-paths.ts';
import { summarise } from './statistics.ts';
import type { Family } from './workbench.ts';

const inFlight = 8;
const connectionsPerRound = 16;

type Round = { readonly path: PathName; readonly perSecond: number; readonly proxyMs: number | undefined };

export const connections: Family = {
  name: 'connections',
  about: `stock "ssh host true", ${inFlight} in flight: connections a second, and CPU time of the proxy for each`,
  async measure(workbench) {
    const ssh = await openSshPaths(workbench);
    for (const path of pathNames) await connect(ssh, path, inFlight);

    const rounds: Round[] = [];
    for (let round = 1; round <= workbench.rounds; round += 1) {
      for (const path of pathNames) {
        const done = await connect(ssh, path, connectionsPerRound);
        rounds.push(done);
        workbench.progress(
          `connections, round ${round}: ${pathLabels[path]} ${done.perSecond.toFixed(1)} /s${done.proxyMs === undefined ? '' : `, proxy ${done.proxyMs.toFixed(1)} ms each`}`,
        );
      }
    }
    return figuresOf(rounds);
  },
};

function figuresOf(rounds: readonly Round[]): readonly Figure[] {
  const of = (path: PathName) => rounds.filter((round) => round.path === path);
  const rate = (path: PathName) => summarise(of(path).map(({ perSecond }) => perSecond));
  const cpu = (path: PathName) => of(path).flatMap(({ proxyMs }) => proxyMs ?? []);
  const ours = rate('sshtrail');
  const rates: Figure[] = (['direct', 'jump', 'ssh2'] as const).map((path) => ({
    name: path === 'direct' ? 'connection-rate' : `connection-rate-beside-${path}`,
    unit: '/s',
    measured: { kind: 'value', value: ours.mean, min: ours.min, max: ours.max },
    against: { kind: 'baseline', name: pathLabels[path], value: rate(path).mean },
  }));
  const ourCpu = cpu('sshtrail');
  if (ourCpu.length === 0) return rates;
  const { mean, min, max } = summarise(ourCpu);
  const costs = (['jump', 'ssh2'] as const)
    .filter((path) => cpu(path).length > 0)
    .map(
      (path): Figure => ({
        name: `connection-cpu-beside-${path}`,
        unit: 'ms',
        measured: { kind: 'value', value: mean, min, max },
        against: { kind: 'baseline', name: pathLabels[path], value: summarise(cpu(path)).mean },
      }),
    );
  return [...rates, ...costs];
}

async function connect(ssh: SshPaths, path: PathName, count: number): Promise<Round> {
  const before = await ssh.proxyCpuSeconds(path);
  let begun = 0;
  const worker = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      await ssh.run(path, 'true');
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - started) / 1000;
  const after = await ssh.proxyCpuSeconds(path);
  return {
    path,
    perSecond: count / seconds,
    proxyMs: before === undefined || after === undefined ? undefined : ((after - before) / count) * 1000,
  };
}
