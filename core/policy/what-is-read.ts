import type { PolicySet } from './load-policy.ts';
import type { PolicyRequest } from './policy-request.ts';
import { sliceFor } from './policy-slice.ts';

/**
 * Whether the answer can depend on which file a transfer is about, so that it has to be asked for each. What cannot be told counts as
 * yes.
 */
export function readsFiles(policy: PolicySet | undefined, request: PolicyRequest): boolean {
  const read = policy === undefined ? undefined : sliceFor(policy, request)?.read;
  if (read === undefined || read.wholeContext) return true;
  return read.attributes.has('path') || read.attributes.has('bytes');
}

/** Whether the answer can depend on how many sessions the identity has, so that they have to be counted. What cannot be told counts as yes. */
export function readsSessionCount(policy: PolicySet | undefined, request: PolicyRequest): boolean {
  const read = policy === undefined ? undefined : sliceFor(policy, request)?.read;
  return read !== undefined && (read.wholeContext || read.attributes.has('sessionCount'));
}
