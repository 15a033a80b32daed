import { setTimeout as delay } from 'node:timers/promises';
import { createFolderBlobStore } from '../../../adapters/local/index.ts';
import { sessionId } from '../../../core/contract/index.ts';
import { createRecorder } from '../../../proxy-task/recording/recorder.ts';

/** A process of its own that records numbered lines, says how far it is, and waits to be killed. */
const [lake = '', spoolDirectory = ''] = process.argv.slice(2);
const channel = createRecorder({
  store: createFolderBlobStore(lake),
  spoolDirectory,
  now: Date.now,
  limits: { flushMs: 10, chunkBytes: 2000 },
}).start({
  sessionId: sessionId('s-0123456789abcdef0123456789abcdef'),
  channel: 'c1',
  kind: 'shell',
  columns: 80,
  rows: 24,
  term: 'xterm',
  onFault: (error) => {
    throw error;
  },
});
for (let line = 0; ; line += 1) {
  channel.output(Buffer.from(`line ${line}\r\n`), 'stdout');
  if (line % 100 === 0) process.stdout.write(`${line}\n`);
  await delay(1);
}
