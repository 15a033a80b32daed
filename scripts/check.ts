import { runGates } from './gates.ts';

const { failed } = await runGates(new URL('..', import.meta.url).pathname);
process.exitCode = failed === 0 ? 0 : 1;
