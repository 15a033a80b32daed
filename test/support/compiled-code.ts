/** For a process whose environment is otherwise bare: where Node finds what others have compiled (vitest.config.ts). */
export const compiledCode: Readonly<Record<string, string>> =
  process.env['NODE_COMPILE_CACHE'] === undefined
    ? {}
    : { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] };
