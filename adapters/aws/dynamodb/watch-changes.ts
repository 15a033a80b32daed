import { setTimeout as delay } from 'node:timers/promises';
import { type AttributeValue, type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import type { ControlKind, WatchOptions } from '#core/contract';
import { readControlItem } from '#core/control';
import { controlFault } from './control-fault.ts';
import { changeIndex, isLive, namesIn, readTableItem } from './control-table.ts';

/** Between the clocks of two writers. */
const clockSkewMs = 10_000;
/** From the moment a writer looks at its clock until DynamoDB has the item: one attempt of a put. */
const writeMs = 2_000;
const pollTimeoutMs = 1_000;
const retryMs = 250;
/** Part of the latency that the query itself may take. */
const queryMs = 200;

/**
 * Polls the index of changes, from the last poll minus what clocks and writes may differ by; a write is told once, by its
 * `writeId`. What the first answer has from before `now` at the call counts as told: that may include a put of the moments in
 * between, by a writer that looked at its clock earlier, or whose clock is behind. Never rejects: everything goes to `onFault`.
 */
export async function watchChanges<Kind extends ControlKind>(
  client: DynamoDBClient,
  table: string,
  kind: Kind,
  options: WatchOptions<Kind>,
  now: () => number,
): Promise<void> {
  const intervalMs = Math.max(50, options.latencyMs - queryMs);
  const startMs = Math.floor(now());
  let lastPollMs = startMs;
  /** Until the first answer; a store that could not be read at first may have changed since, so then nothing is past. */
  let pastBeforeMs: number | undefined = startMs;
  const told = new Map<string, { readonly writeId: string; readonly changedAtMs: number }>();

  function tell(attributes: Record<string, AttributeValue>): void {
    try {
      const item = readTableItem(attributes);
      if (told.get(item.id)?.writeId === item.writeId) return;
      told.set(item.id, { writeId: item.writeId, changedAtMs: item.changedAtMs });
      const isPast = pastBeforeMs !== undefined && item.changedAtMs < pastBeforeMs;
      if (!isPast && isLive(item, now())) options.onChange(readControlItem(kind, item));
    } catch (error) {
      // One item nobody can read must not hide the ones after it.
      options.onFault(error instanceof Error ? error : controlFault(table, 'Query', error));
    }
  }

  async function poll(): Promise<void> {
    const pollMs = now();
    const fromMs = lastPollMs - clockSkewMs - writeMs;
    for (const [id, { changedAtMs }] of told) if (changedAtMs < fromMs) told.delete(id);
    for await (const page of changesSince(client, table, kind, fromMs, options.signal))
      for (const attributes of page) {
        if (options.signal.aborted) return;
        tell(attributes);
      }
    lastPollMs = pollMs;
  }

  while (!options.signal.aborted) {
    const began = performance.now();
    let pauseMs = intervalMs;
    try {
      await poll();
    } catch (error) {
      if (options.signal.aborted) return;
      pauseMs = Math.min(intervalMs, retryMs);
      options.onFault(controlFault(table, 'Query', error));
    }
    pastBeforeMs = undefined;
    await pause(began + pauseMs - performance.now(), options.signal);
  }
}

async function* changesSince(
  client: DynamoDBClient,
  table: string,
  kind: ControlKind,
  fromMs: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Record<string, AttributeValue>[]> {
  const condition = '#kind = :kind AND #changedAtMs >= :from';
  let start: Record<string, AttributeValue> | undefined;
  do {
    const page = await client.send(
      new QueryCommand({
        TableName: table,
        IndexName: changeIndex,
        ConsistentRead: true,
        KeyConditionExpression: condition,
        ExpressionAttributeNames: namesIn(condition),
        ExpressionAttributeValues: { ':kind': { S: kind }, ':from': { N: String(Math.floor(fromMs)) } },
        ExclusiveStartKey: start,
      }),
      { abortSignal: AbortSignal.any([signal, AbortSignal.timeout(pollTimeoutMs)]) },
    );
    yield page.Items ?? [];
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(Math.max(1, ms), undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
