import { gunzipSync } from 'node:zlib';
import type { GatewayTask } from './gateway-task.ts';
import type { Stage } from './stage.ts';

export type SealedRecord = {
  readonly eventName: string;
  readonly eventID: string;
  readonly userIdentity: { readonly userName: string };
  readonly responseElements: Readonly<Record<string, string>>;
  readonly additionalEventData: Readonly<Record<string, string>>;
};

export async function records(on: Stage): Promise<readonly SealedRecord[]> {
  const found: SealedRecord[] = [];
  for (const [key, bytes] of await on.evidence())
    if (key.startsWith('events/'))
      for (const line of gunzipSync(bytes).toString('utf8').split('\n'))
        if (line !== '') found.push(JSON.parse(line) as SealedRecord);
  return found;
}

/** Those of a task's sessions, whichever of its processes has them. */
export async function sessionStarts(on: Stage, { taskArn }: GatewayTask): Promise<readonly SealedRecord[]> {
  const proxyId = `task-${taskArn.split('/').at(-1) ?? ''}`;
  return (await records(on)).filter(
    ({ eventName, additionalEventData }) =>
      eventName === 'StartSession' && additionalEventData['proxyId']?.startsWith(proxyId),
  );
}
