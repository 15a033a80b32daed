export { type AthenaEngineOptions, createAthenaEngine } from './athena-engine.ts';
