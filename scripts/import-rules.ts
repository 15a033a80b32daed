/** Which room may import which (docs/architecture.md). A room that is not here may not be imported by any. */
export const arrows: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ssh: [],
  adapters: ['core'],
  'proxy-task': ['core', 'ssh', 'adapters'],
  lambdas: ['core', 'ssh', 'adapters'],
  lib: ['core'],
  cli: ['core', 'ssh', 'adapters', 'proxy-task'],
  bin: ['cli', 'lib'],
};

/** The one folder of a room that another may see, where it is not the whole room. */
export const narrowArrows: Readonly<Record<string, readonly string[]>> = { 'lib core': ['core/contract'] };

/**
 * Folders of ssh from the ground up. Each may import those on lines before its own; on its own line those before it, and the
 * contract.ts of all.
 */
export const sshLayers: readonly (readonly string[])[] = [
  ['wire'],
  ['keys'],
  ['certificate'],
  ['agent'],
  ['algorithms', 'transport'],
  ['authentication'],
  ['connection'],
  ['relay', 'endpoint'],
];

/** Files by which a folder of the same room is entered. */
export const innerDoors = ['index.ts', 'contract.ts'];

/** Files by which a room without an alias in package.json is entered. */
export const roomDoors = ['index.ts', 'main.ts'];

/** Files that load what their user names. */
export const computedImports: readonly string[] = ['bin/app.ts'];

/** Modules that reach the outside: not for core. */
export const impureModules = [
  'child_process',
  'cluster',
  'dgram',
  'dns',
  'fs',
  'http',
  'http2',
  'https',
  'inspector',
  'module',
  'net',
  'os',
  'process',
  'readline',
  'repl',
  'sqlite',
  'timers',
  'tls',
  'vm',
  'worker_threads',
];

/** Names of node:crypto that draw randomness: core gets it passed in. */
export const randomNames = [
  'generateKey',
  'generateKeyPair',
  'generateKeyPairSync',
  'generateKeySync',
  'getRandomValues',
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
];
