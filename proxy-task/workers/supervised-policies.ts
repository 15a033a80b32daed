import { loadPolicy, type PolicySet } from '#core/policy';
import type { KeptPolicies } from '../policy-keeper.ts';
import { type SupervisorOrder, supervisorOrder } from './worker-message.ts';
import { WorkersError } from './workers-error.ts';

/**
 * The policies that the supervisor hands this process, which reads none by itself: so all workers have the same ones, and one that starts while
 * what stands there is of no use has those in force. Settles with the first. One that cannot use what it is handed ends, since others decide by it.
 *
 * @throws WorkersError `worker-failed` where nobody supervises this process
 */
export function policiesFromSupervisor(): Promise<KeptPolicies> {
  if (process.send === undefined)
    throw new WorkersError(
      'a worker has its policies from its supervisor, and this process has none; start the gateway, which starts its workers',
    );
  const listeners: (() => void)[] = [];
  let current: PolicySet;
  return new Promise((resolve, reject) => {
    process.once('disconnect', () =>
      reject(new WorkersError('the supervisor ended before it had handed over the policies')),
    );
    const take = (message: unknown): void => {
      const order = supervisorOrder.safeParse(message);
      if (!order.success || order.data.kind !== 'policies') return;
      current = loaded(order.data);
      resolve({
        current: () => current,
        onChange: (listener) => void listeners.push(listener),
        async close() {
          process.off('message', take);
        },
      });
      for (const listener of listeners) listener();
    };
    process.on('message', take);
  });
}

function loaded({ sources, version }: SupervisorOrder & { readonly kind: 'policies' }): PolicySet {
  const answer = loadPolicy(sources);
  if (answer.ok && answer.policy.version === version) return answer.policy;
  throw new WorkersError('the policies that the supervisor handed over are not those that it has in force');
}
