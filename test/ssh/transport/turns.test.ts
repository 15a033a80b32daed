import { describe, expect, it } from 'vitest';
import { bothReady, inbox, message, overStreams, until } from './linked-transports.ts';

const count = 5000;

describe('thousands of small messages in one read', () => {
  it('are handled in turns, so that other connections have theirs', async () => {
    const { client, server } = await bothReady(overStreams());
    const received = inbox(server);
    let most = 0;
    let before = 0;
    let over = false;
    const watch = (): void => {
      most = Math.max(most, received.length - before);
      before = received.length;
      if (!over) setImmediate(watch);
    };
    watch();

    for (let number = 0; number < count; number += 1) client.send(message(80, 10, number & 0xff));

    await until(() => received.length === count, 'all messages');
    over = true;
    expect(most).toBeLessThanOrEqual(2 * 128);
    expect(received.every((payload, number) => payload[1] === (number & 0xff))).toBe(true);
  });

  it('are all delivered although their sender closes behind them', async () => {
    const { client, server } = await bothReady(overStreams());
    const received = inbox(server);

    for (let number = 0; number < count; number += 1) client.send(message(80, 10));
    client.disconnect(11, 'that was all');

    expect(await server.ended).toMatchObject({ kind: 'disconnect', description: 'that was all' });
    expect(received).toHaveLength(count);
  });

  it('wait for a release in their middle, and go on behind it', async () => {
    const { client, server } = await bothReady(overStreams());
    const received: number[] = [];
    server.onMessage = (plain) => {
      received.push(plain[2] ?? 0);
      if (received.length !== 200) return;
      server.hold();
      setTimeout(() => server.release(), 10);
    };

    for (let number = 0; number < count; number += 1) client.send(message(80, 10, number & 0xff));

    await until(() => received.length === count, 'all messages');
    expect(received.every((fill, number) => fill === (number & 0xff))).toBe(true);
  });

  it('are dropped when this end leaves among them', async () => {
    const { client, server } = await bothReady(overStreams());
    let received = 0;
    server.onMessage = () => {
      received += 1;
      if (received === 300) server.disconnect(11, 'enough');
    };

    for (let number = 0; number < count; number += 1) client.send(message(80, 10));

    expect(await client.ended).toMatchObject({ kind: 'disconnect', description: 'enough' });
    expect(received).toBe(300);
  });
});
