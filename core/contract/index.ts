export type * from './audit-record.ts';
export { errorCodes, eventNames } from './audit-record.ts';
export type * from './control-data.ts';
export * from './deployment.ts';
export type { GlueTable } from './glue-tables.ts';
export { glueTables } from './glue-tables.ts';
export type * from './identifiers.ts';
export { sessionId, streamName } from './identifiers.ts';
export type * from './ports.ts';
