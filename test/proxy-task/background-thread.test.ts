import { once } from 'node:events';
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';

const source = `
  import { readlinkSync } from 'node:fs';
  import { getPriority } from 'node:os';
  import { parentPort } from 'node:worker_threads';
  import { runInBackground } from ${JSON.stringify(new URL('../../proxy-task/background-thread.ts', import.meta.url).href)};
  runInBackground();
  parentPort.postMessage(getPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1))));
`;

describe.runIf(process.platform === 'linux')('a thread in the background', () => {
  test('is below the thread that relays, whose priority stays', async () => {
    const before = getPriority(process.pid);
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));

    const [priority] = await once(worker, 'message');
    await worker.terminate();

    expect(priority).toBeGreaterThan(before);
    expect(getPriority(process.pid)).toBe(before);
  });
});
