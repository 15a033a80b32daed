import { describe, expect, it } from 'vitest';
import type { Inventory, Target } from '../../core/contract/index.ts';

export const exampleTargets: readonly Target[] = [
  {
    name: 'web-1',
    host: '192.0.2.10',
    port: 22,
    labels: { environment: 'production' },
    hostTrust: { kind: 'pinned', keys: ['ssh-ed25519 AAAA'] },
  },
  {
    name: 'db.internal',
    host: 'db.example.com',
    port: 2222,
    labels: {},
    hostTrust: { kind: 'authority', keys: ['ssh-ed25519 BBBB'], principals: ['db.example.com'] },
  },
];

/** What every Inventory does. `create` gives one that holds these targets and no others. */
export function inventoryConformance(
  name: string,
  create: (targets: readonly Target[]) => Promise<Inventory>,
): void {
  describe(`${name} as an Inventory`, () => {
    it('finds each target by its whole name', async () => {
      const inventory = await create(exampleTargets);

      for (const target of exampleTargets) expect(await inventory.find(target.name)).toEqual(target);
    });

    it.each(['web', 'web-1 ', 'WEB-1', '', '__proto__', 'constructor', '192.0.2.10'])(
      'finds nothing under %j',
      async (wanted) => {
        const inventory = await create(exampleTargets);

        expect(await inventory.find(wanted)).toBeUndefined();
      },
    );

    it('lists every target once', async () => {
      const inventory = await create(exampleTargets);

      const names = (await inventory.list()).map((target) => target.name);

      expect([...names].sort()).toEqual(['db.internal', 'web-1']);
    });

    it('may be empty', async () => {
      expect(await (await create([])).list()).toEqual([]);
    });
  });
}
