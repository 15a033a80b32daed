import { readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { openSshPaths } from '/work/main/test/bench/ssh-paths.ts';
import { openWorkbench } from '/work/main/test/bench/workbench.ts';
const wb = openWorkbench({ sizeBytes: 0, rounds: 1, progress: console.error });
const ssh = await openSshPaths(wb);
const pid = ssh.gateway.pid;
function snap() {
  const s = readFileSync(`/proc/${pid}/stat`, 'utf8'); const f = s.slice(s.lastIndexOf(')') + 2).split(' ');
  const io = Object.fromEntries(readFileSync(`/proc/${pid}/io`, 'utf8').trim().split('\n').map((l) => { const [k, v] = l.split(': '); return [k, Number(v)]; }));
  const st = Object.fromEntries([...readFileSync(`/proc/${pid}/status`, 'utf8').matchAll(/^(\S*ctxt_switches|VmRSS|VmHWM):\s+(\d+)/gm)].map((m) => [m[1], Number(m[2])]));
  return { user: Number(f[11]) / 100, sys: Number(f[12]) / 100, ...io, ...st, t: performance.now() / 1000 } as Record<string, number>;
}
async function go(name: string, cmd: string, up = false, mib = 256) {
  await ssh.gateway.settled();
  const a = snap();
  const child = spawn('sh', ['-c', up ? `${cmd} | ssh "$@" 'cat >/dev/null'` : `ssh "$@" '${cmd}' >/dev/null`, 'sh', ...ssh.arguments('sshtrail')], { stdio: ['ignore', 'inherit', 'inherit'] });
  await new Promise((r) => child.once('close', r));
  await ssh.gateway.settled();
  const b = snap();
  const d = (k: string) => (b[k] ?? 0) - (a[k] ?? 0);
  const per = 1024 / mib;
  console.log(name.padEnd(16), 'wall', d('t').toFixed(2), 'user/GiB', (d('user') * per).toFixed(2), 'sys/GiB', (d('sys') * per).toFixed(2), 'reads/GiB', d('syscr') * per, 'writes/GiB', d('syscw') * per, 'MBr', (d('rchar') / 1e6).toFixed(0), 'vol', d('voluntary_ctxt_switches'), 'nonvol', d('nonvoluntary_ctxt_switches'), 'HWM', b['VmHWM']);
}
await go('warm', 'head -c 64M /dev/zero', false, 64);
for (let i = 0; i < 2; i++) {
  await go('down head', 'head -c 256M /dev/zero');
  await go('down dd1M', 'dd if=/dev/zero bs=1M count=256 status=none');
  await go('up head', 'head -c 256M /dev/zero', true);
  await go('up dd1M', 'dd if=/dev/zero bs=1M count=256 status=none', true);
}
await wb.close();
