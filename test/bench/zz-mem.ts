import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLoad } from '/work/main/test/bench/load.ts';
import { openWorkbench } from '/work/main/test/bench/workbench.ts';

const wb = openWorkbench({ sizeBytes: 0, rounds: 1, progress: console.error });
const load = await openLoad(wb);
const rss = () => load.gateway.usage().rssBytes / 1024;
const anon = () =>
  Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${load.gateway.pid}/status`, 'utf8'))?.[1]);
const at = async () => {
  await sleep(11_500);
  const a = rss();
  process.kill(load.gateway.pid, 'SIGUSR2');
  await sleep(1500);
  return [a, rss(), anon()];
};
await load.open(200);
const a = await at();
await load.open(400);
const b = await at();
console.log(
  process.env.LABEL,
  'MiB',
  a.map((x) => (x / 1024).toFixed(0)),
  b.map((x) => (x / 1024).toFixed(0)),
  'KiB/session: rss',
  ((b[0]! - a[0]!) / 400).toFixed(0),
  'after gc',
  ((b[1]! - a[1]!) / 400).toFixed(0),
  'anon',
  ((b[2]! - a[2]!) / 400).toFixed(0),
);
await wb.close();
