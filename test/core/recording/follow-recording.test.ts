import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CastEvent,
  castEvents,
  followRecording,
  type LiveRecording,
  recordingBytes,
} from '../../../core/recording/index.ts';
import { createMemoryBlobStore } from '../../support/memory-blob-store.ts';
import {
  recorded,
  recordedHead,
  type SegmentedRecording,
  type Timed,
} from '../../support/segmented-recording.ts';

const prefix = `recordings/dt=2026-11-20/${recordedHead.sessionId}/c1/`;

function session(): readonly Timed[] {
  return Array.from({ length: 30 }, (_, n) => [n * 700, `line ${n} zażółć\r\n`] as const);
}

const made = recorded(session(), { limits: { outputBytes: 60, ageMs: 10_000, textBytes: 10_000 } });

type Step = () => void;

/** What the recorder of that recording does, in its order: it writes, and stores what is full beside that. */
function recorder(whole: SegmentedRecording, pieces: readonly number[]) {
  const spool = new Map<number, Buffer>();
  const store = createMemoryBlobStore();
  let open = true;
  const writing: Step[] = [];
  const sealing: Step[] = [];
  let piece = 0;
  whole.texts.forEach((text, number) => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) {
      const length = pieces[piece % pieces.length] ?? 1;
      piece += 1;
      const part = bytes.subarray(at, at + length);
      writing.push(() => spool.set(number, Buffer.concat([spool.get(number) ?? Buffer.alloc(0), part])));
      at += length;
    }
    const name = whole.manifest.chunks[number]?.name ?? '';
    writing.push(() => {
      sealing.push(
        () =>
          store.blobs.set(`${prefix}${name}`, whole.store.blobs.get(`${prefix}${name}`) ?? Buffer.alloc(0)),
        () => spool.delete(number),
      );
    });
  });
  const ending: Step[] = [
    () => store.blobs.set(whole.key, whole.store.blobs.get(whole.key) ?? Buffer.alloc(0)),
    () => {
      open = false;
    },
  ];
  return {
    spool,
    store,
    isOpen: () => open,
    /** One step; of what can be done, the sealing where `sealFirst`. False where all is done. */
    step(sealFirst: boolean): boolean {
      const queue = [sealFirst ? sealing : writing, sealFirst ? writing : sealing, ending].find(
        (each) => each.length > 0,
      );
      queue?.shift()?.();
      return queue !== undefined;
    },
  };
}

function live(at: ReturnType<typeof recorder>, progress: () => void): LiveRecording {
  return {
    channel: { sessionId: recordedHead.sessionId, channel: 'c1' },
    spool: {
      head: async () => recordedHead,
      async chunks() {
        progress();
        return [...at.spool.keys()].sort((a, b) => a - b);
      },
      async read(_channel, number) {
        progress();
        const bytes = at.spool.get(number);
        if (bytes === undefined) throw new Error('ENOENT');
        return bytes;
      },
    },
    store: {
      async get(key) {
        progress();
        return at.store.get(key);
      },
      list: (under) => at.store.list(under),
    },
    isOpen: async () => at.isOpen(),
    pause: async () => progress(),
  };
}

async function follow(recording: LiveRecording) {
  const { snapshot, events } = await followRecording(recording);
  const seen: CastEvent[] = [];
  for (;;) {
    const next = await events.next();
    if (next.done === true) return { snapshot, seen, outcome: next.value };
    seen.push(next.value);
  }
}

describe('following a recording', () => {
  it('misses and repeats nothing, wherever it joins and whatever the recorder does in between', async () => {
    const whole = await made;
    const all = await Array.fromAsync(castEvents(recordingBytes(whole.store, whole.key, whole.manifest)));
    const steps = whole.texts.join('').length;

    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 }),
        fc.nat({ max: steps }),
        fc.infiniteStream(fc.tuple(fc.boolean(), fc.nat({ max: 2 }))),
        async (pieces, joinAfter, schedule) => {
          const at = recorder(whole, pieces);
          const next = (): readonly [boolean, number] => {
            const { value } = schedule.next();
            return value ?? [false, 1];
          };
          for (let n = 0; n < joinAfter && at.isOpen(); n += 1) at.step(next()[0]);

          const { snapshot, seen, outcome } = await follow(
            live(at, () => {
              const [sealFirst, count] = next();
              for (let n = 0; n < count; n += 1) at.step(sealFirst);
            }),
          );

          expect(outcome).toBe('stored');
          expect(seen).toEqual(
            all.filter(({ time }) => snapshot.baseMs === 0 || time > snapshot.baseMs / 1000),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('begins with the screen as it is, and not with what was long before', async () => {
    const whole = await made;
    const at = recorder(whole, [1000]);
    const last = whole.texts.length - 1;
    while (!at.spool.has(last)) at.step(true);

    const { snapshot, seen } = await follow(live(at, () => at.step(true)));

    expect(snapshot.screen).toContain('line 2');
    expect(seen.length).toBeLessThan(10);
  });

  it('finds the screen in the store where nothing has happened for a while', async () => {
    const whole = await made;
    const at = recorder(whole, [1000]);
    while (at.store.blobs.size < 3 || at.spool.size > 0) at.step(true);

    const { snapshot, outcome } = await follow(live(at, () => at.step(true)));

    expect(snapshot.baseMs).toBeGreaterThan(0);
    expect(outcome).toBe('stored');
  });

  it('says that a recording is lost where nobody will end it', async () => {
    const whole = await made;
    const at = recorder(whole, [1000]);
    for (let n = 0; n < 3; n += 1) at.step(false);

    const { outcome } = await follow({ ...live(at, () => undefined), isOpen: async () => false });

    expect(outcome).toBe('lost');
  });

  it('waits where nothing was recorded yet, and ends when it is told to', async () => {
    const at = recorder(await made, [1000]);
    const stopped = new Error('stopped');

    const following = follow({
      ...live(at, () => undefined),
      pause: () => Promise.reject(stopped),
    });

    await expect(following).rejects.toBe(stopped);
  });

  it('refuses what is no recording, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const at = recorder(await made, [1000]);
        at.spool.set(0, Buffer.from(bytes));

        const followed = follow({ ...live(at, () => undefined), isOpen: async () => false });

        await followed.then(
          ({ seen, outcome }) => expect([seen, outcome]).toEqual([[], 'lost']),
          (error: unknown) => expect(error).toMatchObject({ code: 'invalid-cast' }),
        );
      }),
      { numRuns: 200 },
    );
  });
});
