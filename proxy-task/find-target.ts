import type { Inventory, Target } from '#core/contract';
import type { Refusal } from '#core/event';
import { InventoryError } from '#core/inventory';

/** The target of that name, or why there is none: never one that nobody can vouch for now. */
export async function findTarget(
  inventory: Inventory,
  name: string,
): Promise<{ readonly target: Target } | { readonly refusal: Refusal }> {
  let target: Target | undefined;
  try {
    target = await inventory.find(name);
  } catch (error) {
    if (!(error instanceof InventoryError)) throw error;
    return refused(
      'inventory-unreadable',
      `which targets there are cannot be told now, so ${name} is refused; try again, and tell whoever runs sshtrail if it goes on`,
    );
  }
  if (target !== undefined) return { target };
  const why = inventory.missing?.(name);
  return why === undefined
    ? refused('unknown-target', `there is no target ${name}; check the name, or ask who runs the inventory`)
    : refused('target-gone', `there is no target ${name} now: ${why}; ask who runs it`);
}

function refused(denyReason: string, message: string): { readonly refusal: Refusal } {
  return { refusal: { errorCode: 'AccessDenied', denyReason, message } };
}
