import { describe, expect, it } from 'vitest';
import type { Inventory } from '#core/contract';
import { createStaticInventory, InventoryError } from '#core/inventory';
import { findTarget } from '../../proxy-task/find-target.ts';
import { exampleTargets } from '../conformance/inventory.ts';

const inventory = createStaticInventory(exampleTargets);

describe('findTarget', () => {
  it('gives the target', async () => {
    expect(await findTarget(inventory, 'web-1')).toEqual({ target: exampleTargets[0] });
  });

  it('refuses a name that nobody knows', async () => {
    expect(await findTarget(inventory, 'web-9')).toEqual({
      refusal: {
        errorCode: 'AccessDenied',
        denyReason: 'unknown-target',
        message: 'there is no target web-9; check the name, or ask who runs the inventory',
      },
    });
  });

  it('says what became of a target that was there', async () => {
    const gone: Inventory = { ...inventory, missing: (name) => `${name} was turned off` };

    expect(await findTarget(gone, 'web-9')).toMatchObject({
      refusal: {
        denyReason: 'target-gone',
        message: 'there is no target web-9 now: web-9 was turned off; ask who runs it',
      },
    });
  });

  it('refuses where the inventory cannot be read, and hides why from the engineer', async () => {
    const find = () => Promise.reject(new InventoryError('unreadable', 'the role here lacks a right'));

    const found = await findTarget({ ...inventory, find }, 'web-1');

    expect(found).toMatchObject({
      refusal: { errorCode: 'AccessDenied', denyReason: 'inventory-unreadable' },
    });
    expect(JSON.stringify(found)).not.toContain('role');
  });

  it('lets a fault of another kind through', async () => {
    const find = () => Promise.reject(new RangeError('a mistake'));

    await expect(findTarget({ ...inventory, find }, 'web-1')).rejects.toThrow('a mistake');
  });
});
