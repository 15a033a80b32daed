import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parsePrivateKey } from '#ssh';
import type { Transport } from '../../ssh/transport/index.ts';
import { connectLoggedIn, floodMessages, openedSession, settled } from '../hostile/attacker.ts';
import { channelData, exec, globalRequest, openSession, ping } from '../hostile/messages.ts';
import { answer, obey } from './child-side.ts';

/** One hostile peer that has logged in, and does the same thing until it is stopped: arguments are port, user, key file, and what it does. */
const [port = '', user = '', keyFile = '', what = ''] = process.argv.slice(2);
const privateKey = parsePrivateKey(readFileSync(keyFile, 'utf8'));
const connected = new Set<Transport>();
/** What the attacked target does costs a machine of its own elsewhere; here it gets what the others leave. */
const aside = 'renice -n 19 $PPID $$ >&2';

const attacks: Readonly<Record<string, (transport: Transport) => Promise<void>>> = {
  'ignored-windows': async (transport) => {
    const channel = await openedSession(transport, 2_097_152);
    transport.send(exec(channel, `${aside}; exec sleep 600`));
    await floodMessages(transport, channelData(channel, Buffer.alloc(32_000)), 20);
  },
  'global-requests': (transport) => floodMessages(transport, globalRequest('flood@example.com')),
  'never-reading': async (transport) => {
    const channel = await openedSession(transport, 0xffffffff);
    transport.send(exec(channel, `${aside}; exec cat /dev/zero`));
    transport.setReadPaused(true);
    await floodMessages(transport, ping(1024), 20);
  },
  'hundred-thousand-channels': async (transport) => {
    const over = settled(transport.ended);
    for (let number = 0; number < 100_000 && !over.aborted; number += 1) {
      transport.send(openSession(number));
      while (!over.aborted && transport.backlogBytes > 1_048_576) await new Promise(setImmediate);
    }
  },
};

const stopping = new AbortController();
const attack = attacks[what];
if (attack === undefined) throw new Error(`no attack is called ${what}`);
obey(
  () => undefined,
  async () => {
    stopping.abort();
    for (const transport of connected) transport.cut(11, 'the benchmark has seen enough');
  },
);
answer({ kind: 'ready', port: 0 });
/** As often as maxStartsPerSourcePerMinute lets one address come that has broken nothing. */
const betweenLoginsMs = 60_000 / 300;
/** Not the address of the engineer who types beside it. */
const localAddress = '127.0.0.2';
// Who is cut off comes again.
for (let atMs = performance.now(); !stopping.signal.aborted; atMs += betweenLoginsMs) {
  await delay(Math.max(0, atMs - performance.now()));
  const transport = await connectLoggedIn(Number(port), user, privateKey, localAddress).catch(notTaken);
  if (transport === undefined) continue;
  connected.add(transport);
  await attack(transport).catch(() => undefined);
  transport.cut(11, 'again');
  await transport.ended;
  connected.delete(transport);
}

/** The gateway does not take every connection of who misbehaves; that there is no such address here is another matter. */
function notTaken(cause: unknown): undefined {
  if (!(cause instanceof Error) || ('code' in cause && cause.code === 'EADDRNOTAVAIL')) throw cause;
  return undefined;
}
