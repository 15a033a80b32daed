import { describe, expect, it } from 'vitest';
import { createStaticInventory } from '../../../core/inventory/index.ts';
import { exampleTargets, inventoryConformance } from '../../conformance/inventory.ts';

inventoryConformance('the static inventory', async (targets) => createStaticInventory(targets));

describe('createStaticInventory', () => {
  const [target] = exampleTargets;

  it('lists in the order given', async () => {
    expect(await createStaticInventory(exampleTargets).list()).toEqual(exampleTargets);
  });

  it('refuses a name twice', () => {
    expect(() => createStaticInventory([...exampleTargets, ...exampleTargets.slice(1)])).toThrow(
      expect.objectContaining({ code: 'duplicate' }),
    );
  });

  it.each(['', 'Web', '-x', 'a b', 'a\n', 'a@b', '../a', 'ä'])('refuses the name %j', (name) => {
    const targets = target === undefined ? [] : [{ ...target, name }];

    expect(() => createStaticInventory(targets)).toThrow(expect.objectContaining({ code: 'invalid-name' }));
  });

  it('does not change with the list it was made of', async () => {
    const labels: Record<string, string> = { environment: 'production' };
    const targets = target === undefined ? [] : [{ ...target, labels }];
    const inventory = createStaticInventory(targets);

    labels.environment = 'development';
    targets.pop();

    expect((await inventory.list()).map((found) => found.labels)).toEqual([{ environment: 'production' }]);
  });
});
