import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { runGates } from './gates.ts';
import { ensureOpenSsh10 } from './openssh-10.ts';
import { ensurePrerequisites } from './prerequisites.ts';
import { ensurePythonTools, startMoto } from './python-tools.ts';

/** The counts of vitest's JSON report. */
const report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  success: z.boolean(),
  testResults: z.array(z.object({ name: z.string(), status: z.string() })),
});

const root = new URL('..', import.meta.url).pathname;
const filters = process.argv.slice(2);

const complaint = ensurePrerequisites(process.env['PATH'] ?? '', process.platform, process.getuid?.() === 0);
if (complaint !== undefined) {
  console.error(complaint);
  console.log('0 passed, 1 failed');
  process.exit(1);
}

// The gates take processor time, what has to be fetched takes patience: neither waits for the other.
const [checked, { tools, openSsh10 }] = await Promise.all([
  filters.length === 0 ? runGates(root) : { passed: 0, failed: 0 },
  fetchTools(),
]);
let { passed, failed } = checked;
if (!tools.ok) {
  console.log(`moto and cfn-lint cannot be had, so the AWS adapters meet the fakes alone: ${tools.reason}`);
  if (process.env['REQUIRE_MOTO'] === '1') failed += 1;
}
if (!openSsh10.ok) {
  console.log(`OpenSSH 10.0 cannot be had, so the interop matrix runs without it: ${openSsh10.reason}`);
  if (process.env['REQUIRE_MOTO'] === '1') failed += 1;
}
const moto = tools.ok ? await startMoto(tools.motoServer) : undefined;
let counts: { readonly passed: number; readonly failed: number };
try {
  counts = await runVitest(
    tools.ok && moto !== undefined ? { MOTO_ENDPOINT: moto.endpoint, CFN_LINT: tools.cfnLint } : {},
  );
} finally {
  await moto?.stop();
}
passed += counts.passed;
failed += counts.failed;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function fetchTools() {
  const tools = await ensurePythonTools(root);
  return { tools, openSsh10: await ensureOpenSsh10(root) };
}

async function runVitest(
  environment: Readonly<Record<string, string>>,
): Promise<{ passed: number; failed: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'sshtrail-report-'));
  const reportFile = join(folder, 'report.json');
  try {
    const args = [
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
      ...filters,
    ];
    const child = spawn(join(root, 'node_modules', '.bin', 'vitest'), args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...environment },
    });
    const code = await new Promise<number>((resolve) => {
      child.on('error', () => resolve(-1));
      child.on('close', (status) => resolve(status ?? -1));
    });
    const result = report.parse(JSON.parse(readFileSync(reportFile, 'utf8')));
    // A file that could not be loaded has no failed test of its own, and a skipped test is no pass.
    const unloaded =
      result.testResults.filter(({ status }) => status === 'failed').length > 0 && result.numFailedTests === 0
        ? 1
        : 0;
    const skipped = result.numPendingTests + result.numTodoTests;
    if (skipped > 0) console.log(`${skipped} tests were skipped: none may be`);
    const faults = result.numFailedTests + unloaded + skipped;
    return { passed: result.numPassedTests, failed: faults === 0 && code !== 0 ? 1 : faults };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
