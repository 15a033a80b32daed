import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { type ByteLink, linkFromDuplex } from '#ssh';
import { readProxyHeader } from '../../proxy-task/proxied-link.ts';
import { tcp4 } from './proxy-header.ts';

/** A link whose far end is in the test's hands. */
function linkInHand() {
  const written: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  stream.on('error', () => undefined);
  return { stream, link: linkFromDuplex(stream), written };
}

/** What a link says once it is opened. */
function opened(link: ByteLink) {
  const heard: Buffer[] = [];
  const closed = new Promise<Error | undefined>((resolve) => {
    link.open({
      onBytes: (chunk) => heard.push(Buffer.from(chunk)),
      onDrained: () => undefined,
      onClosed: resolve,
    });
  });
  return { text: () => Buffer.concat(heard).toString(), closed };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function afterHeader(more = '') {
  const { stream, link, written } = linkInHand();
  const reading = readProxyHeader(link);
  stream.push(Buffer.concat([tcp4([203, 0, 113, 9], 7), Buffer.from(more)]));
  const read = await reading;
  if (read.kind !== 'header') throw new Error(`no header: ${read.kind}`);
  return { stream, link: read.link, written };
}

test('what came with the header, while nobody listened, and later arrives in this order', async () => {
  const { stream, link } = await afterHeader('one ');
  stream.push('two ');
  await turns();

  const { text } = opened(link);
  stream.push('three');
  await turns();

  expect(text()).toBe('one two three');
});

test('a link that closed before it was opened says so once it is, after its bytes', async () => {
  const { stream, link } = await afterHeader('last words');
  stream.destroy();
  await turns();

  const { text, closed } = opened(link);
  await closed;

  expect(text()).toBe('last words');
});

test('output passes, and pausing holds back what comes', async () => {
  const { stream, link, written } = await afterHeader();
  const { text } = opened(link);
  link.pause();
  stream.push('held');
  await turns();
  const whilePaused = text();

  link.write(Buffer.from('out'), () => undefined);
  link.resume();
  await turns();

  expect(whilePaused).toBe('');
  expect(text()).toBe('held');
  expect(Buffer.concat(written).toString()).toBe('out');
});

test('who sends no header in time is cut off', async () => {
  const { stream, link } = linkInHand();
  stream.push(tcp4([203, 0, 113, 9], 7).subarray(0, 20));

  const read = await readProxyHeader(link, 20);

  expect(read).toEqual({ kind: 'refused', reason: 'proxy-header-timeout' });
  expect(stream.destroyed).toBe(true);
});

test('who sends something else is cut off at once', async () => {
  const { stream, link } = linkInHand();
  stream.push('SSH-2.0-OpenSSH_9.9\r\n');

  const read = await readProxyHeader(link);

  expect(read).toEqual({ kind: 'refused', reason: 'proxy-header-missing' });
  expect(stream.destroyed).toBe(true);
});

test('who leaves without a word is no refusal', async () => {
  const { stream, link } = linkInHand();
  stream.destroy();

  expect(await readProxyHeader(link)).toEqual({ kind: 'closed' });
});
