export { controlTableDefinition, controlTableTtlAttribute } from './control-table.ts';
export { createDynamoControlStore, type DynamoControlStoreOptions } from './dynamo-control-store.ts';
