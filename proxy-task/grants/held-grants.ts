import type { AccessGrant, ControlStore } from '#core/contract';
import { approvalBy, type GrantHolder, goodGrants } from '#core/grant';
import type { PolicyRequest } from '#core/policy';

/** The grants of one login, as they were read last and as the time makes of them. */
export type HeldGrants = {
  /** What those that are good now say of an action. */
  approvalOf(action: string): PolicyRequest['approval'];
  /** Looks for all there are. */
  find(): Promise<void>;
  /** Looks again at those that are known, so that one that was ended meanwhile counts no more. Asks nobody where there are none. */
  reread(): Promise<void>;
  /** The one that lasts longest of those that are good now. */
  longest(): AccessGrant | undefined;
};

export function createHeldGrants(options: {
  readonly control: Pick<ControlStore, 'get' | 'list'>;
  readonly holder: GrantHolder;
  readonly now: () => number;
}): HeldGrants {
  const { control, holder, now } = options;
  let known: readonly AccessGrant[] = [];

  return {
    approvalOf: (action) => approvalBy(known, holder, action, now()),
    async find() {
      known = await goodGrants({ control, now }, holder);
    },
    async reread() {
      const items = await Promise.all(known.map(({ id }) => control.get('grant', id)));
      known = items.flatMap((item) => (item === undefined ? [] : [item.data]));
    },
    longest() {
      const nowMs = now();
      return known
        .filter(({ fromMs, untilMs }) => fromMs <= nowMs && nowMs < untilMs)
        .sort((one, other) => other.untilMs - one.untilMs)[0];
    },
  };
}
