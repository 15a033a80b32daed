export { DeploymentError, readEnvironment } from './read-environment.ts';
