export {
  ensureSecret,
  readParameter,
  readParameterAuthor,
  readParameters,
  readSecret,
  type StoredParameter,
  secretReference,
} from './parameters.ts';
export { ParametersError, type ParametersErrorCode } from './parameters-error.ts';
export { deleteParameter, putParameter } from './write-parameter.ts';
