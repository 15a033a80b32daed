import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionName, functionNames } from '../../core/contract/index.ts';
import { createApp, defineDeployment } from '../../lib/index.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { stacksOf } from './synthesised.ts';

const root = join(import.meta.dirname, '..', '..');
const megabyte = 1_000_000;

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** Loads a bundle as Lambda would, from where it lies, with no packages near it. */
function kindOfHandler(folder: string): string {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { handler } = await import(${JSON.stringify(join(folder, 'index.mjs'))}); console.log(typeof handler); process.exit(0);`,
    ],
    { cwd: folder, encoding: 'utf8', env: { AWS_REGION: 'eu-central-1' } },
  );
  return `${stdout}${stderr}`.trim();
}

/** What the recording thread says of a channel in which nothing happened. */
function recordedByThread(file: string): string {
  const head = `{ sessionId: 's-${'0'.repeat(32)}', channel: 'c1', kind: 'shell', startedAtMs: 0, columns: 80, rows: 24, term: 'xterm' }`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { Worker } from 'node:worker_threads';
       const thread = new Worker(${JSON.stringify(file)}, { execArgv: [], workerData: { redaction: { defaults: true, rules: [] } } });
       thread.on('message', ({ kind }) => { console.log(kind); process.exit(0); });
       thread.postMessage({ kind: 'open', id: 1, head: ${head}, commands: true, memoryKey: new Uint8Array(32), segments: { outputBytes: 1000, ageMs: 1000, textBytes: 1000 } });
       thread.postMessage({ kind: 'end', id: 1, atMs: 5 });`,
    ],
    { encoding: 'utf8', timeout: 30_000 },
  );
  return `${stdout}${stderr}`;
}

describe('the bundle of a function', () => {
  let out = '';
  const bundles = new Map<string, string>();

  beforeAll(() => {
    out = mkdtempSync(join(tmpdir(), 'sshtrail-test-'));
    const { context } = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')) as { context: object };
    const app = createApp(defineDeployment({}), new App({ context: { ...context }, outdir: out }));
    app.synth();
    for (const stack of stacksOf(app)) {
      const { Resources } = JSON.parse(readFileSync(join(out, stack.templateFile), 'utf8')) as {
        Resources: Record<string, { Properties?: { FunctionName?: string; Code?: { S3Key?: string } } }>;
      };
      for (const { Properties } of Object.values(Resources))
        if (Properties?.FunctionName !== undefined && Properties.Code?.S3Key !== undefined)
          bundles.set(
            Properties.FunctionName.slice('sshtrail-'.length),
            join(out, `asset.${Properties.Code.S3Key.replace(/\.zip$/, '')}`),
          );
    }
  }, 240_000);

  afterAll(() => rmSync(out, { recursive: true, force: true }));

  function bundleOf(name: FunctionName): string {
    const folder = bundles.get(name);
    if (folder === undefined) throw new Error(`there is no bundle of ${name}`);
    return folder;
  }

  it.each(functionNames)('%s is small, and loads with nothing beside it', (name) => {
    const folder = bundleOf(name);

    expect(bytesIn(folder)).toBeLessThan(5 * megabyte);
    expect(kindOfHandler(folder)).toBe('function');
  });

  it.each(['run-runbook', 'act'] as const)('%s has every runbook', (name) => {
    const runbooks = readdirSync(join(root, 'runbooks')).filter((file) => file.endsWith('.yaml'));

    expect(readdirSync(join(bundleOf(name), 'runbooks')).sort()).toEqual(runbooks.sort());
  });
});

describe('the bundle of the gateway', () => {
  it('fits, and starts as far as asking for its settings', { timeout: 120_000 }, () => {
    const folder = temporaryFolder();
    const bundled = spawnSync(
      process.execPath,
      [join(root, 'scripts', 'bundle-gateway.ts'), join(folder, 'out')],
      { encoding: 'utf8', cwd: root },
    );
    expect(bundled.status, bundled.stderr).toBe(0);

    const started = spawnSync(process.execPath, [join(folder, 'out', 'main.mjs')], {
      encoding: 'utf8',
      cwd: folder,
      env: {},
      timeout: 30_000,
    });

    expect(existsSync(join(folder, 'out', 'cedar_wasm_bg.wasm'))).toBe(true);
    expect(bytesIn(join(folder, 'out'))).toBeLessThan(60 * megabyte);
    expect(started.status).not.toBe(0);
    expect(`${started.stdout}${started.stderr}`).toContain('SSHTRAIL_NAME');
    expect(existsSync(join(folder, 'out', 'content-hash-worker.mjs'))).toBe(true);
    expect(recordedByThread(join(folder, 'out', 'recording-thread.mjs'))).toContain('ended');
  });
});
