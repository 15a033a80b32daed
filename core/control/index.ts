export { controlDataSchemas } from './control-data-schema.ts';
