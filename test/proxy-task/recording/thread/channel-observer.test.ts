import { expect, test } from 'vitest';
import { sessionId } from '#core/contract';
import { compileRules } from '#core/redaction';
import { observeChannel } from '../../../../proxy-task/recording/thread/channel-observer.ts';
import type { ChannelEvent, Observation } from '../../../../proxy-task/recording/thread/observation.ts';

const rules = compileRules({ defaults: true, rules: [] });
const secret = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a';

function observer(change: { readonly commands?: boolean; readonly outputBytes?: number } = {}) {
  return observeChannel(
    {
      head: {
        sessionId: sessionId('s-0123456789abcdef0123456789abcdef'),
        channel: 'c1',
        kind: 'shell',
        startedAtMs: 0,
        columns: 80,
        rows: 24,
        term: 'xterm',
      },
      commands: change.commands ?? true,
      memoryKey: Buffer.alloc(32, 7),
      segments: { outputBytes: change.outputBytes ?? 256 * 1024, ageMs: 10_000, textBytes: 1024 * 1024 },
    },
    rules,
  );
}

const output = (atMs: number, text: string): ChannelEvent => ({
  kind: 'output',
  atMs,
  stream: 'stdout',
  data: Buffer.from(text),
});
const input = (atMs: number, text: string): ChannelEvent => ({
  kind: 'input',
  atMs,
  data: Buffer.from(text),
});
const tick = (atMs: number): ChannelEvent => ({ kind: 'tick', atMs });

function textOf(observations: readonly Observation[]): string {
  return observations.map((each) => (each.kind === 'text' ? each.text : '')).join('');
}

test('a command is told with its time, its secret hidden, and is a chapter of the recording', () => {
  const channel = observer();
  const observed = [
    output(0, '\u001b[?2004hme$ '),
    input(100, `echo ${secret}`),
    output(110, `echo ${secret}`),
    input(200, '\r'),
    output(210, '\r\n\u001b[?2004l\r'),
    output(220, `${secret}\r\n\u001b[?2004hme$ `),
    tick(5000),
  ].flatMap((event) => channel.take(event));
  const { observations, end } = channel.end(6000);

  const hidden = `echo ${'*'.repeat(secret.length)}`;
  expect([...observed, ...observations].filter(({ kind }) => kind === 'command')).toEqual([
    {
      kind: 'command',
      command: {
        number: 1,
        offsetMs: 200,
        text: hidden,
        kind: 'command',
        confidence: 'high',
        prompt: 'me$ ',
      },
    },
  ]);
  expect(textOf([...observed, ...observations])).not.toContain(secret);
  expect(end.summary.markers.map(({ label }) => label)).toEqual([hidden]);
  expect(Object.values(end.redactions).some((count) => count > 0)).toBe(true);
});

test('what the terminal does not show is nowhere', () => {
  const channel = observer();
  const observed = [
    output(0, 'Password: '),
    input(100, 'hunter2-hunter2\r'),
    output(200, '\r\n\u001b[?2004hme$ '),
    input(300, 'id\r'),
    output(310, 'id\r\n\u001b[?2004l\r'),
    tick(5000),
  ].flatMap((event) => channel.take(event));

  const all = JSON.stringify([...observed, channel.end(6000)]);
  expect(all).toContain('"text":"id"');
  expect(all).not.toContain('hunter2');
});

test('a segment that is full is sealed when the next output comes, and that begins with the screen', () => {
  const channel = observer({ outputBytes: 10 });
  const observed = [output(0, 'first line\r\n'), output(100, 'second\r\n')].flatMap((event) =>
    channel.take(event),
  );

  expect(observed.map(({ kind }) => kind)).toEqual(['text', 'sealed', 'text']);
  expect(textOf(observed.slice(2))).toMatch(/^# snapshot .*first line/);
});

test('a channel is settled once time can bring out nothing more', () => {
  const channel = observer();
  channel.take(output(0, 'no end of line'));

  expect(channel.settled).toBe(false);
  expect(textOf(channel.take(tick(1500)))).toContain('no end of line');
  channel.take(tick(20_000));
  expect(channel.settled).toBe(true);
});

test('without commands to read, input is of no account', () => {
  const channel = observer({ commands: false });

  expect(channel.take(input(0, 'ls\r'))).toEqual([]);
  expect(channel.pendingLine(Buffer.of()).line.state).toBe('none');
});
