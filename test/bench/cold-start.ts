import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { functionNames } from '#core/contract';
import { BenchError } from './bench-error.ts';
import type { Figure } from './figure.ts';
import { percentile } from './statistics.ts';
import type { Family } from './workbench.ts';

const root = new URL('../..', import.meta.url).pathname;
const starts = 7;

/** What AWS waits for: the gateway's bundle until it looks for its environment, each function's bundle until its handler is there. */
export const coldStart: Family = {
  name: 'cold-start',
  about: 'start of the gateway task from its bundle, and import of the functions from theirs',
  async measure(workbench) {
    const figures: Figure[] = [gatewayStart(join(workbench.folder, 'gateway'))];
    for (const name of functionNames) {
      const file = join(workbench.folder, `${name}.mjs`);
      await bundleFunction(name, file);
      const measured = repeat(() => importMs(file));
      workbench.progress(`cold-start: ${name}, ${(statSync(file).size / 1e6).toFixed(1)} MB`);
      figures.push(figureOf(`import-${name}`, 'ms', measured, 300));
    }
    return figures;
  },
};

function gatewayStart(folder: string): Figure {
  const bundled = spawnSync(process.execPath, [join(root, 'scripts', 'bundle-gateway.ts'), folder]);
  if (bundled.status !== 0)
    throw new BenchError('failed', `the gateway was not bundled: ${bundled.stderr.toString()}`);
  const measured = repeat(() => {
    const started = performance.now();
    // Everything is loaded by the time it says that the stacks gave it no environment.
    const { stdout } = spawnSync(process.execPath, [join(folder, 'main.mjs')], { env: {}, encoding: 'utf8' });
    if (!stdout.includes('SSHTRAIL_')) throw new BenchError('failed', `the bundle did not start: ${stdout}`);
    return (performance.now() - started) / 1000;
  });
  return figureOf('gateway-bundle-start', 's', measured, 1);
}

/** As lib/constructs/product-function.ts has it bundled. */
async function bundleFunction(name: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [join(root, 'lambdas', name, 'handler.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    minify: true,
    keepNames: true,
    mainFields: ['module', 'main'],
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    logLevel: 'error',
  });
}

function importMs(file: string): number {
  const script = `const t = performance.now(); await import(${JSON.stringify(pathToFileURL(file).href)}); console.log(performance.now() - t);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  const ms = Number(stdout);
  if (!(ms > 0)) throw new BenchError('failed', `${file} cannot be imported: ${stderr}`);
  return ms;
}

function repeat(once: () => number): readonly number[] {
  return Array.from({ length: starts }, once);
}

function figureOf(name: string, unit: string, measured: readonly number[], limit: number): Figure {
  return {
    name,
    unit,
    measured: { kind: 'value', value: percentile(measured, 0.5) },
    against: { kind: 'promise', bound: { direction: 'at-most', limit } },
  };
}
