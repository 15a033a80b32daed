import { setTimeout as sleep } from 'node:timers/promises';
import { BenchError } from './bench-error.ts';
import type { Figure } from './figure.ts';
import { type Load, openLoad } from './load.ts';
import type { Family, Workbench } from './workbench.ts';

const kibibyte = 1024;
const mebibyte = 1024 ** 2;
/** The prompt of an idle shell is in the store, and no longer in the spool, after ten seconds. */
const restMs = 12_000;
const perSession = { direction: 'at-most', limit: 32 } as const;

export const memory: Family = {
  name: 'memory',
  about: 'resident memory of the gateway, and of a proxy made of ssh2, with 0, 200 and 1,000 idle shells',
  async measure(workbench) {
    const load = await openLoad(workbench);
    const none = await restingBytes(workbench, load, 0);
    const some = await restingBytes(workbench, load, 200);
    const many = await restingBytes(workbench, load, 1000);
    await load.close();
    const beside = await besideSsh2(workbench, load);
    const own = { name: 'the benchmark itself', bytes: process.memoryUsage.rss() };
    return [
      residentFigure('memory-0', none, own),
      residentFigure('memory-0-beside-ssh2', none, { name: 'ssh2', bytes: beside.none }),
      residentFigure('memory-200', some, { name: 'no session', bytes: none }),
      residentFigure('memory-1000', many, { name: 'no session', bytes: none }),
      residentFigure('memory-1000-beside-ssh2', many, { name: 'ssh2', bytes: beside.many }),
      perSessionFigure('memory-per-idle-session', many - some, 800),
      perSessionFigure('memory-per-idle-session-from-none', many - none, 1000),
      {
        name: 'memory-per-idle-session-beside-ssh2',
        unit: 'KiB',
        measured: { kind: 'value', value: (many - some) / 800 / kibibyte },
        against: { kind: 'baseline', name: 'ssh2', value: (beside.many - beside.some) / 800 / kibibyte },
      },
    ];
  },
};

/** The same numbers of shells through the proxy made of ssh2, to the same target. */
async function besideSsh2(
  workbench: Workbench,
  load: Load,
): Promise<{ readonly none: number; readonly some: number; readonly many: number }> {
  const proxy = await load.ssh2();
  const at = async (more: number, sessions: number): Promise<number> => {
    if (more > 0) await load.open(more, 'ssh2');
    await sleep(more === 0 ? 1000 : restMs);
    const { rssBytes } = proxy.usage();
    workbench.progress(
      `memory: ${sessions} idle shells through ssh2, ${(rssBytes / mebibyte).toFixed(1)} MiB`,
    );
    return rssBytes;
  };
  return { none: await at(0, 0), some: await at(200, 200), many: await at(800, 1000) };
}

export const memory10k: Family = {
  name: 'memory-10k',
  about: 'the same with 10,000; wants more than 20,000 open files (ulimit -n)',
  onRequest: true,
  async measure(workbench) {
    const load = await openLoad(workbench);
    const some = await restingBytes(workbench, load, 1000);
    const many = await restingBytes(workbench, load, 10_000);
    return [
      perSessionFigure('memory-per-idle-session-at-10k', many - some, 9000),
      {
        name: 'memory-10k',
        unit: 'MiB',
        measured: { kind: 'value', value: many / mebibyte },
        against: { kind: 'promise', bound: { direction: 'at-most', limit: 450 } },
      },
    ];
  },
};

/** Resident memory as it is. */
function residentFigure(
  name: string,
  bytes: number,
  beside: { readonly name: string; readonly bytes: number },
): Figure {
  return {
    name,
    unit: 'MiB',
    measured: { kind: 'value', value: bytes / mebibyte },
    against: { kind: 'baseline', name: beside.name, value: beside.bytes / mebibyte },
  };
}

function perSessionFigure(name: string, bytes: number, sessions: number): Figure {
  return {
    name,
    unit: 'KiB',
    measured: { kind: 'value', value: bytes / sessions / kibibyte },
    against: { kind: 'promise', bound: perSession },
  };
}

/** Resident memory when so many shells are open in all and nothing has happened for a while. */
async function restingBytes(
  workbench: Workbench,
  { gateway, open }: Load,
  sessions: number,
): Promise<number> {
  const { count: before } = await gateway.ask({ kind: 'count-sessions' }, 'sessions');
  if (sessions > before) await open(sessions - before);
  await sleep(sessions === 0 ? 1000 : restMs);
  const { count } = await gateway.ask({ kind: 'count-sessions' }, 'sessions');
  if (count !== sessions)
    throw new BenchError('failed', `${count} sessions are open where ${sessions} were meant to be`);
  const { rssBytes } = gateway.usage();
  workbench.progress(`memory: ${sessions} idle shells, ${(rssBytes / mebibyte).toFixed(1)} MiB`);
  return rssBytes;
}
