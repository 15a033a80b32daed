#!/usr/bin/env -S node --max-semi-space-size=1
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Most of a short command's time goes to compiling. The cache lies with the packages: who may write there may change the code as well.
enableCompileCache(join(import.meta.dirname, '..', 'node_modules', '.cache', 'sshtrail'));
const { main } = await import('../cli/main.ts');

await main(process.argv.slice(2));
