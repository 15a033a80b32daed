import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ByteLink } from '../../../ssh/transport/contract.ts';
import { ReadPacer } from '../../../ssh/transport/read-pacer.ts';
import { ReadingGate } from '../../../ssh/transport/reading-gate.ts';

const packet = 32 * 1024;
const turnBytes = 256 * 1024;

describe('the pace of reading', () => {
  it('lets a transfer that comes packet by packet gather for a moment', async () => {
    const { pacer, link } = paced();

    for (let read = 0; read < 7; read += 1) pacer.count(packet);
    const before = link.paused;
    pacer.count(packet);

    expect(before).toBe(false);
    expect(link.paused).toBe(true);
    await until(() => !link.paused);
  });

  it('goes on with that where more came at once', async () => {
    const { pacer, link } = paced();
    for (let read = 0; read < 8; read += 1) pacer.count(packet);
    await until(() => !link.paused);

    pacer.count(2 * packet);

    expect(link.paused).toBe(true);
    await until(() => !link.paused);
  });

  it('does not make a sender wait again who was waiting for us', async () => {
    const { pacer, link } = paced();
    for (let read = 0; read < 8; read += 1) pacer.count(packet);
    await until(() => !link.paused);
    const pauses = link.pauses;

    // Within its share of a turn, whose end is another reason to wait.
    for (let read = 0; read < 60; read += 1) {
      pacer.count(packet);
      await until(() => !link.paused);
    }

    expect(link.pauses - pauses).toBeLessThanOrEqual((60 * packet) / turnBytes);
  });

  it('never holds up small messages', () => {
    const { pacer, link } = paced();

    for (let read = 0; read < 1000; read += 1) pacer.count(100);

    expect(link.pauses).toBe(0);
  });

  it('never holds up small messages behind a transfer', () => {
    const { pacer, link } = paced();

    for (let read = 0; read < 5; read += 1) pacer.count(packet);
    for (let read = 0; read < 100; read += 1) pacer.count(100);
    pacer.count(packet);

    expect(link.pauses).toBe(0);
  });

  it('gives the others their turn after its share of bytes', async () => {
    const { pacer, link } = paced();

    pacer.count(turnBytes);

    expect(link.paused).toBe(true);
    await until(() => !link.paused);
  });
});

function paced() {
  const link: ByteLink & { paused: boolean; pauses: number } = {
    paused: false,
    pauses: 0,
    pendingBytes: 0,
    open: () => undefined,
    write: () => undefined,
    end: () => undefined,
    destroy: () => undefined,
    pause() {
      link.paused = true;
      link.pauses += 1;
    },
    resume() {
      link.paused = false;
    },
  };
  return { link, pacer: new ReadPacer(new ReadingGate(link), turnBytes) };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it did not come to that');
    await sleep(1);
  }
}
