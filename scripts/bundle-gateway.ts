import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';

/** Bundles the gateway's task into one file, with the thread and the data file it reads beside it: `node scripts/bundle-gateway.ts FOLDER`. */
const [target] = process.argv.slice(2);
if (target === undefined) {
  console.error('say where to: node scripts/bundle-gateway.ts FOLDER');
  process.exit(2);
}
const folder = resolve(target);
const root = new URL('..', import.meta.url).pathname;

mkdirSync(folder, { recursive: true });
await build({
  entryPoints: {
    main: join(root, 'proxy-task', 'main.ts'),
    // Threads of their own, which the gateway looks for beside itself.
    'recording-thread': join(root, 'proxy-task', 'recording', 'thread', 'thread-main.ts'),
    'content-hash-worker': join(root, 'proxy-task', 'transfer', 'content-hash-worker.ts'),
  },
  outdir: folder,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  minify: true,
  // Names of errors and events come from classes and functions.
  keepNames: true,
  legalComments: 'linked',
  // The packages that are CommonJS ask for Node's modules by require.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'; import { fileURLToPath as pathOf } from 'node:url'; const require = requireOf(import.meta.url); const __filename = pathOf(import.meta.url); const __dirname = pathOf(new URL('.', import.meta.url));",
  },
  logLevel: 'warning',
});
// Cedar reads its WebAssembly from beside itself.
const cedar = createRequire(import.meta.url).resolve('@cedar-policy/cedar-wasm/nodejs');
copyFileSync(join(dirname(cedar), 'cedar_wasm_bg.wasm'), join(folder, 'cedar_wasm_bg.wasm'));
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
