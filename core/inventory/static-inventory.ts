import type { Inventory, Target } from '#core/contract';

export type InventoryErrorCode = 'invalid-name' | 'duplicate' | 'unusable-instance' | 'unreadable';

export class InventoryError extends Error {
  override readonly name = 'InventoryError';
  readonly code: InventoryErrorCode;

  constructor(code: InventoryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Targets that are known when the gateway starts, listed in the order given.
 * @throws InventoryError
 */
export function createStaticInventory(targets: readonly Target[]): Inventory {
  const byName = new Map<string, Target>();
  for (const target of targets) {
    if (!/^[a-z0-9][a-z0-9._-]*$/.test(target.name))
      throw new InventoryError(
        'invalid-name',
        `${JSON.stringify(target.name)} is not a target's name; use a-z, 0-9, dot, dash and underscore, beginning with a letter or digit`,
      );
    if (byName.has(target.name))
      throw new InventoryError(
        'duplicate',
        `the target ${JSON.stringify(target.name)} is in the inventory twice; rename one`,
      );
    byName.set(target.name, structuredClone(target));
  }
  const all = Object.freeze([...byName.values()]);
  return { find: async (name) => byName.get(name), list: async () => all };
}
