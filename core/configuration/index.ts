export type { Configuration, Identity, RunbookSetting } from './configuration.ts';
export { configurationJsonSchema, schemaModeline } from './json-schema.ts';
export { parseConfiguration } from './parse-configuration.ts';
export type { Problem } from './problem.ts';
export { formatProblems } from './problem.ts';
