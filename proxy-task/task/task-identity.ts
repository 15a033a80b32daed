import { z } from 'zod';

/** Which Fargate task this is. */
export type TaskIdentity = {
  readonly arn: string;
  /** The last part of the ARN: 32 hex digits. */
  readonly id: string;
  /** Of the task definition. */
  readonly revision: number;
  readonly availabilityZone: string;
};

const metadata = z.object({
  TaskARN: z.string().regex(/^arn:[\w-]+:ecs:[\w-]+:[0-9]{12}:task\/.+$/),
  Revision: z.string().regex(/^[0-9]+$/),
  AvailabilityZone: z.string().default(''),
});

/**
 * Asks the task metadata endpoint, version 4 (`$ECS_CONTAINER_METADATA_URI_V4/task`).
 * @throws TaskError `no-metadata`
 */
export async function readTaskIdentity(
  metadataUri: string | undefined,
  get: typeof fetch,
): Promise<TaskIdentity> {
  if (metadataUri === undefined)
    throw new TaskError(
      'no-metadata',
      'this is no ECS task (ECS_CONTAINER_METADATA_URI_V4 is not set); on one machine, start the gateway by npm start',
    );
  let answer: unknown;
  try {
    const response = await get(`${metadataUri}/task`, { signal: AbortSignal.timeout(5_000) });
    answer = await response.json();
  } catch (cause) {
    throw new TaskError(
      'no-metadata',
      'the task metadata endpoint does not answer; the task is started again',
      {
        cause,
      },
    );
  }
  const parsed = metadata.safeParse(answer);
  if (!parsed.success)
    throw new TaskError('no-metadata', 'the task metadata endpoint does not say which task this is', {
      cause: parsed.error,
    });
  const { TaskARN, Revision, AvailabilityZone } = parsed.data;
  const id = TaskARN.split('/').at(-1) ?? '';
  if (!/^[0-9a-f]{32}$/.test(id))
    throw new TaskError('no-metadata', `the task's ARN does not end with an id: ${TaskARN}`);
  return { arn: TaskARN, id, revision: Number(Revision), availabilityZone: AvailabilityZone };
}

export class TaskError extends Error {
  override readonly name = 'TaskError';
  readonly code: 'no-metadata' | 'unusable-configuration';

  constructor(code: TaskError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
