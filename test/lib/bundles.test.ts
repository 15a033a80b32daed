import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionName, functionNames } from '../../core/contract/index.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { synth } from './cdk-synth.ts';

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

/** Made once, since it takes long: nothing below changes it. */
describe('cdk synth of the defaults, without credentials and without a container engine', () => {
  let folder = '';
  let synthesised: Awaited<ReturnType<typeof synth>>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sshtrail-test-'));
    synthesised = await synth(folder);
  }, 240_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function bundleOf(name: FunctionName): string {
    const { output } = synthesised;
    for (const file of readdirSync(output).filter((each) => each.endsWith('.template.json'))) {
      const { Resources } = JSON.parse(readFileSync(join(output, file), 'utf8')) as {
        Resources: Record<string, { Properties?: { FunctionName?: string; Code?: { S3Key?: string } } }>;
      };
      for (const { Properties } of Object.values(Resources))
        if (Properties?.FunctionName === `sshtrail-${name}` && Properties.Code?.S3Key !== undefined)
          return join(output, `asset.${Properties.Code.S3Key.replace(/\.zip$/, '')}`);
    }
    throw new Error(`there is no bundle of ${name}`);
  }

  it('makes every stack', () => {
    const { code, said, output } = synthesised;

    expect(code, said).toBe(0);
    for (const name of ['audit', 'control', 'proxy', 'response', 'lake', 'observability'])
      expect(existsSync(join(output, `sshtrail-${name}.template.json`)), name).toBe(true);
    expect(said).not.toMatch(/docker|deprecated|\[Warning/i);
  });

  it.each(functionNames)('makes a bundle of %s that is small, and loads with nothing beside it', (name) => {
    const bundle = bundleOf(name);

    // Cedar is 4.3 MB of WebAssembly.
    expect(bytesIn(bundle)).toBeLessThan((name === 'control-api' ? 9 : 5) * megabyte);
    expect(kindOfHandler(bundle)).toBe('function');
  });

  it.each(['run-runbook', 'act'] as const)('gives %s every runbook', (name) => {
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
