import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** A check over the whole repository that must print nothing new and exit 0. */
type Gate = { readonly name: string; readonly command: readonly string[] };

export const gates: readonly Gate[] = [
  { name: 'types (tsc)', command: ['tsc', '-p', '.'] },
  { name: 'format and import order (biome)', command: ['biome', 'check'] },
  { name: 'lint (oxlint, type-aware)', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'dead code (knip)', command: ['knip'] },
  { name: 'import rules', command: ['node', 'scripts/check-imports.ts'] },
  { name: 'wording', command: ['node', 'scripts/check-wording.ts'] },
];

type GateResult = {
  readonly name: string;
  readonly passed: boolean;
  readonly output: string;
  readonly seconds: number;
};

export async function runGate(gate: Gate, root: string): Promise<GateResult> {
  const [program = '', ...args] = gate.command;
  const started = performance.now();
  const child = spawn(join(root, 'node_modules', '.bin', program), args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number>((resolve) => {
    child.on('error', (error) => {
      chunks.push(Buffer.from(`${error.message}\n`));
      resolve(-1);
    });
    child.on('close', (status) => resolve(status ?? -1));
  });
  return {
    name: gate.name,
    passed: code === 0,
    output: Buffer.concat(chunks).toString(),
    seconds: (performance.now() - started) / 1000,
  };
}

/** Runs every gate, one after another, and prints what each found. */
export async function runGates(root: string): Promise<{ readonly passed: number; readonly failed: number }> {
  let failed = 0;
  for (const gate of gates) {
    const result = await runGate(gate, root);
    console.log(`${result.passed ? 'ok  ' : 'FAIL'} ${result.name} (${result.seconds.toFixed(1)} s)`);
    if (result.passed) continue;
    failed += 1;
    console.log(result.output);
  }
  return { passed: gates.length - failed, failed };
}
