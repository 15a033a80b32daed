/** Keeps ECS from stopping the task for a deployment or for scaling in while sessions live. */
export type TaskProtection = {
  /** To be called whenever the wish may have changed, and every minute: asks ECS only when something is due. */
  update(wanted: boolean): Promise<void>;
};

export type TaskProtectionOptions = {
  /** `$ECS_AGENT_URI`; none outside of ECS. */
  readonly agentUri: string | undefined;
  readonly fetch: typeof fetch;
  readonly now: () => number;
  readonly report: (line: string) => void;
};

/** Short slices: what a task that hangs or was cut off from the agent can hold up is bounded by one of them. */
const sliceMinutes = 15;
const renewAfterMs = 5 * 60_000;
const retryAfterMs = 30_000;

/**
 * By the agent's endpoint `PUT $ECS_AGENT_URI/task-protection/v1/state` (field names with capitals there). A refusal is reported
 * and tried again: without protection a deployment ends sessions, which still get the notice of a stop.
 */
export function createTaskProtection(options: TaskProtectionOptions): TaskProtection {
  const { agentUri, now, report } = options;
  let held = false;
  let renewMs = 0;
  let retryMs = 0;
  let underWay: Promise<void> = Promise.resolve();

  async function ask(wanted: boolean): Promise<void> {
    if (wanted === held && (!wanted || now() < renewMs)) return;
    if (now() < retryMs) return;
    try {
      const response = await options.fetch(`${agentUri}/task-protection/v1/state`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(
          wanted ? { ProtectionEnabled: true, ExpiresInMinutes: sliceMinutes } : { ProtectionEnabled: false },
        ),
        signal: AbortSignal.timeout(10_000),
      });
      const answer = await response.text();
      if (!response.ok) throw new Error(`${response.status} ${answer.slice(0, 300)}`);
      held = wanted;
      renewMs = now() + renewAfterMs;
    } catch (error) {
      retryMs = now() + retryAfterMs;
      const reason = error instanceof Error ? error.message : 'unknown';
      report(
        `the protection of this task could not be ${wanted ? 'renewed' : 'released'} (${reason}); the task role needs ecs:UpdateTaskProtection`,
      );
    }
  }

  return {
    update(wanted) {
      if (agentUri === undefined) return Promise.resolve();
      underWay = underWay.then(() => ask(wanted));
      return underWay;
    },
  };
}
