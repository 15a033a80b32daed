import { spawn } from 'node:child_process';
import { createPublicKey, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFileSigner, createFolderBlobStore } from '#adapters/local';
import { streamName } from '#core/contract';
import { endSession, executeCommand, type SessionFacts, startSession } from '#core/event';
import { sessionFacts } from '../core/event/sample-facts.ts';
import { lakeStream } from '../support/evidence-lake.ts';
import { BenchError } from './bench-error.ts';
import { usageOf } from './process-usage.ts';
import type { Family, Workbench } from './workbench.ts';

const events = 1_000_000;
const commandsPerSession = 8;
const recordsPerSession = commandsPerSession + 2;
const recordsPerSegment = 2500;
const recordsPerDigest = 10_000;
const stepMs = 200;
const asOf = '2026-11-20T18:00:00.000Z';
const mebibyte = 1024 ** 2;

export const verification: Family = {
  name: 'verify',
  about: `sshtrail verify over ${events.toLocaleString('en')} events that nobody touched; writing them takes minutes`,
  onRequest: true,
  async measure(workbench) {
    const lake = join(workbench.folder, 'lake');
    const publicKey = join(workbench.folder, 'evidence.pem');
    await writeLake(workbench, lake, publicKey);
    const { seconds, cpuSeconds, peakBytes } = await verifyLake(lake, publicKey);
    workbench.progress(`verify: ${cpuSeconds.toFixed(1)} s of CPU`);
    return [
      {
        name: 'verify-million',
        unit: 's',
        measured: { kind: 'value', value: seconds },
        against: { kind: 'promise', bound: { direction: 'at-most', limit: 60 } },
      },
      {
        name: 'verify-million-memory',
        unit: 'MiB',
        measured: { kind: 'value', value: peakBytes / mebibyte },
        against: { kind: 'promise', bound: { direction: 'at-most', limit: 300 } },
      },
    ];
  },
};

async function writeLake(workbench: Workbench, lake: string, publicKey: string): Promise<void> {
  const signer = await createFileSigner(join(workbench.folder, 'evidence-key.pem'));
  const key = createPublicKey({ key: signer.publicKeySpki, format: 'der', type: 'spki' });
  writeFileSync(publicKey, key.export({ type: 'spki', format: 'pem' }));
  let nowMs = Date.parse(asOf) - events * stepMs;
  const stream = lakeStream({
    blobs: createFolderBlobStore(lake),
    stream: streamName('bench'),
    signer,
    now: () => nowMs,
  });
  let day = new Date(nowMs).getUTCDate();
  let facts: SessionFacts = sessionFacts;
  for (let written = 0; written < events; written += 1) {
    nowMs += stepMs;
    const isNewDay = new Date(nowMs).getUTCDate() !== day;
    if (written > 0 && (isNewDay || written % recordsPerSegment === 0)) {
      const next = nowMs;
      nowMs = isNewDay ? next - stepMs : next;
      await stream.seal();
      nowMs = next;
      day = new Date(nowMs).getUTCDate();
    }
    if (written > 0 && written % recordsPerDigest === 0) await stream.sign('periodic');
    const step = written % recordsPerSession;
    if (step === 0) facts = { ...sessionFacts, sessionId: `s-${randomBytes(16).toString('hex')}` };
    stream.record(draftOf(facts, step, nowMs, written));
    if ((written + 1) % (events / 5) === 0) workbench.progress(`verify: ${written + 1} events written`);
  }
  await stream.seal();
  await stream.sign('closing');
}

function draftOf(facts: SessionFacts, step: number, atMs: number, number: number) {
  if (step === 0) return startSession(facts, atMs);
  if (step < recordsPerSession - 1)
    return executeCommand(facts, atMs, {
      command: `systemctl status unit-${number} ${randomBytes(12).toString('hex')}`,
      commandSource: 'exec',
    });
  return endSession(facts, atMs, {
    endReason: 'ClientDisconnect',
    bytesIn: number,
    bytesOut: number * 3,
    seconds: 12,
    channels: commandsPerSession,
    recordings: 0,
  });
}

async function verifyLake(
  lake: string,
  publicKey: string,
): Promise<{ readonly seconds: number; readonly cpuSeconds: number; readonly peakBytes: number }> {
  const started = performance.now();
  const program = join(import.meta.dirname, '..', '..', 'bin', 'sshtrail.ts');
  const child = spawn(
    process.execPath,
    [program, 'verify', lake, '--public-key', publicKey, '--as-of', asOf],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  let cpuSeconds = 0;
  let peakBytes = 0;
  const looking = setInterval(() => {
    if (child.pid === undefined || child.exitCode !== null) return;
    const usage = usageOf(child.pid);
    cpuSeconds = usage.cpuSeconds;
    peakBytes = Math.max(peakBytes, usage.rssBytes);
  }, 100);
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  clearInterval(looking);
  if (code !== 0) throw new BenchError('failed', `sshtrail verify ended with ${code}`);
  return { seconds: (performance.now() - started) / 1000, cpuSeconds, peakBytes };
}
