import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  bothReady,
  message,
  overSockets,
  overStreams,
  type TransportPair,
  until,
} from './linked-transports.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

describe('memory', () => {
  it.each([
    ['sockets', overSockets],
    ['streams', async () => overStreams()],
  ])('of ended transports over %s comes back (N9)', async (_what, make) => {
    const references: WeakRef<object>[] = [];
    for (let count = 0; count < 40; count += 1) references.push(...(await used(await make())));

    await until(() => {
      collect();
      return references.filter((reference) => reference.deref() !== undefined).length <= 2;
    }, 'the transports are collected');

    expect(references).toHaveLength(80);
  });
});

/** Uses a pair, ends it, and keeps nothing but weak references. */
async function used(pair: TransportPair): Promise<WeakRef<object>[]> {
  await bothReady(pair);
  let received = 0;
  pair.server.onMessage = () => {
    received += 1;
  };
  pair.client.send(message(94, 30_000));
  await until(() => received === 1, 'a message');
  pair.client.disconnect(11, 'bye');
  await Promise.all([pair.client.ended, pair.server.ended]);
  return [new WeakRef(pair.client), new WeakRef(pair.server)];
}
