import type { Lock } from '#core/contract';
import type { Refusal } from '#core/event';
import { printable } from '../wording/index.ts';

/** What somebody whom a lock fits is told and what events say. The id is for whoever is asked about it. */
export function lockRefusal({ lockId, message }: Lock): Refusal & { readonly lockId: string } {
  return {
    errorCode: 'AccessDenied',
    denyReason: 'locked',
    message: `${printable(message)} (lock ${lockId})`,
    lockId,
  };
}
