export class WorkersError extends Error {
  override readonly name = 'WorkersError';
  readonly code = 'worker-failed';
}
