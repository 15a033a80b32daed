import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** What a process has used so far, as the system tells it. */
export type ProcessUsage = { readonly cpuSeconds: number; readonly rssBytes: number };

/** User and system time count in hundredths of a second, on every Linux that Node runs on (USER_HZ). */
const ticksPerSecond = 100;

export function usageOf(pid: number): ProcessUsage {
  if (existsSync(`/proc/${pid}/stat`)) {
    return {
      cpuSeconds: parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).own,
      rssBytes: parseStatus(readFileSync(`/proc/${pid}/status`, 'utf8')),
    };
  }
  return parsePs(execFileSync('ps', ['-o', 'time=,rss=', '-p', String(pid)], { encoding: 'utf8' }));
}

/** CPU seconds of a process and of the children it has waited for. Undefined where the system does not tell (it needs /proc). */
export function cpuWithChildren(pid: number): number | undefined {
  if (!existsSync(`/proc/${pid}/stat`)) return undefined;
  const { own, children } = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return own + children;
}

/** Whether any process has this one for a parent; false where the system does not tell. */
export function hasChildren(pid: number): boolean {
  return childrenOf(pid).length > 0;
}

/** Processes that have this one for a parent; none where the system does not tell. */
export function childrenOf(pid: number): readonly number[] {
  if (!existsSync('/proc/self/stat')) return [];
  return readdirSync('/proc')
    .filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        return parseStat(readFileSync(`/proc/${name}/stat`, 'utf8')).parent === pid;
      } catch {
        // It ended between the listing and the reading.
        return false;
      }
    })
    .map(Number);
}

/** proc_pid_stat(5): fields 4 and 14 to 17. The second field may hold any character, so counting starts behind its last parenthesis. */
export function parseStat(text: string): {
  readonly parent: number;
  readonly own: number;
  readonly children: number;
} {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const seconds = (field: number) => numberIn(fields[field - 3]) / ticksPerSecond;
  return {
    parent: numberIn(fields[1]),
    own: seconds(14) + seconds(15),
    children: seconds(16) + seconds(17),
  };
}

/** proc_pid_status(5): VmRSS, in kB of 1024 bytes. */
export function parseStatus(text: string): number {
  return numberIn(/^VmRSS:\s*(\d+) kB$/m.exec(text)?.[1]) * 1024;
}

/** `[[dd-]hh:]mm:ss[.cc] KiB`. */
export function parsePs(text: string): ProcessUsage {
  const match = /^\s*(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)\s+(\d+)\s*$/.exec(text);
  const [days, hours, minutes, seconds, kib] = (match?.slice(1) ?? []).map((part) => Number(part ?? 0));
  return {
    cpuSeconds:
      (((days ?? 0) * 24 + (hours ?? 0)) * 60 + numberIn(String(minutes))) * 60 + numberIn(String(seconds)),
    rssBytes: numberIn(String(kib)) * 1024,
  };
}

function numberIn(text: string | undefined): number {
  const value = Number(text ?? Number.NaN);
  if (Number.isNaN(value))
    throw new RangeError('the system describes the process in a way that is not known');
  return value;
}
