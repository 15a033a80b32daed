import { gates, runGate } from './gates.ts';

const root = new URL('..', import.meta.url).pathname;
let failed = 0;
for (const gate of gates) {
  const result = await runGate(gate, root);
  console.log(`${result.passed ? 'ok  ' : 'FAIL'} ${result.name} (${result.seconds.toFixed(1)} s)`);
  if (!result.passed) {
    failed += 1;
    console.log(result.output);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
