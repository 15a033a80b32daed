export { callControlApi, nodeCredentials } from './call-control-api.ts';
export { ControlApiError } from './control-api-error.ts';
