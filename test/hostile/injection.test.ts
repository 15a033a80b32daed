import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MessageNumber, WireWriter } from '../../ssh/wire/index.ts';
import { sshtrail } from '../support/command-line.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { connectEncrypted, connectLoggedIn, nextMessage, openedSession, untilWithin } from './attacker.ts';
import {
  channelClose,
  channelRequest,
  exec,
  globalRequest,
  keyQuery,
  serviceRequest,
  terminal,
} from './messages.ts';

/** Sets the window's title, clears the screen, forges a line, colours it by a C1 control and turns it around. */
const evil = '\u001b]0;owned\u0007\u001b[2J\r\n2026-01-01 forged line\u009b31m\u202egnp\u007f';
/** A name that reads otherwise than it is. */
const turned = 'x\u202egnp\u2066';
/** What a user name may hold on the wire, and what a careless reader would take for a cell, a formula or another name. */
const sneaky = "=cmd|' /C calc'!A0\",\"x', ../../etc <b>";
/** What must never reach a terminal as it is: controls but the line feed, and what turns text around. */
const raw = /[^\P{Cc}\n]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const promptlyMs = 10_000;

let stack: Stack;

beforeAll(async () => {
  stack = await startStack({
    policy: `@id("all") permit (principal in Group::"engineers", action, resource);
@id("no-forbidden") forbid (principal, action == Action::"exec", resource) when { context has program && context.program == "forbidden" };
@id("no-forwards") forbid (principal, action in Action::"forward", resource);
`,
  });
  await attack();
});

afterAll(async () => {
  await stack?.close();
});

/** Hostile text wherever a peer can put any. */
async function attack(): Promise<void> {
  const { port } = stack.running.gateway.address;
  const unproven = await connectEncrypted(port);
  unproven.send(serviceRequest);
  for (let count = 0; count < 30; count += 1) unproven.send(keyQuery(`${sneaky}@web-1`));
  await untilWithin(promptlyMs, 'the end of the flood', unproven.ended);

  for (const user of [`${evil}@web-1`, `${stack.login}@${evil}`, evil, 'root\u202egnp@web-1'])
    await expect(connectLoggedIn(port, user, stack.engineerKey)).rejects.toThrow('control characters');
  for (const user of [`${sneaky}@web-1`, `${stack.login}@${sneaky}`, sneaky])
    await expect(connectLoggedIn(port, user, stack.engineerKey)).rejects.toThrow('ssh LOGIN@TARGET@GATEWAY');

  await refuseNames(port);

  const transport = await connectLoggedIn(port, `${stack.login}@web-1`, stack.engineerKey);
  const subsystem = await openedSession(transport, 2_097_152);
  transport.send(channelRequest(subsystem, 'subsystem', true, text(`sub${turned}`)));
  const forbidden = await openedSession(transport, 2_097_152, 1);
  const denied = nextMessage(transport, MessageNumber.channelClose);
  transport.send(exec(forbidden, `forbidden ${evil}`));
  await denied;
  transport.send(channelClose(forbidden));
  const allowed = await openedSession(transport, 2_097_152, 2);
  const closed = nextMessage(transport, MessageNumber.channelClose);
  transport.send(terminal(allowed, `xterm${turned}`));
  transport.send(exec(allowed, Buffer.concat([Buffer.from(`: 'allowed ${evil}`), Buffer.of(0xff, 0x27)])));
  await closed;
  const refused = nextMessage(transport, MessageNumber.channelOpenFailure);
  transport.send(openForward(`host${turned}`));
  await refused;
  transport.disconnect(11, `goodbye ${evil}`);
  await stack.eventually('SELECT count(*) FROM sessions WHERE NOT still_open HAVING count(*) = 6');
}

/** Controls in what is a name costs the connection. */
async function refuseNames(port: number): Promise<void> {
  const messages = (channel: number) => [
    globalRequest(`${evil}@example.com`),
    channelRequest(channel, evil, false),
    channelRequest(channel, 'subsystem', true, text(evil)),
    terminal(channel, evil),
    openForward(evil),
  ];
  for (let index = 0; index < messages(0).length; index += 1) {
    const transport = await connectLoggedIn(port, `${stack.login}@web-1`, stack.engineerKey);
    const channel = await openedSession(transport, 2_097_152);
    transport.send(messages(channel)[index] ?? Buffer.alloc(0));
    const end = await untilWithin(promptlyMs, `the end of connection ${index}`, transport.ended);
    expect(end.kind).toBe('disconnect');
  }
}

function text(value: string): Buffer {
  return new WireWriter().string(value).finish();
}

function openForward(host: string): Buffer {
  return new WireWriter()
    .byte(MessageNumber.channelOpen)
    .string('direct-tcpip')
    .uint32(9)
    .uint32(1024)
    .uint32(1024)
    .string(host)
    .uint32(80)
    .string('127.0.0.1')
    .uint32(1)
    .finish();
}

test('all of it is in the lake, byte for byte', async () => {
  const rows = await stack.query(
    'SELECT event_name, user_name, command, error_code FROM events ORDER BY event_time',
  );

  const names = rows.map(({ event_name }) => event_name);
  expect(names).toEqual(
    expect.arrayContaining(['AuthenticateUser', 'DenyAccess', 'OpenSubsystem', 'OpenPortForward']),
  );
  expect(rows.map(({ command }) => command)).toContain(`forbidden ${evil}`);
  expect(rows.filter(({ error_code }) => error_code !== null).length).toBeGreaterThanOrEqual(6);
});

describe('nothing of it reaches a terminal as it is', () => {
  test.each([['denied'], ['last'], ['sessions'], ['verify'], ['query', 'SELECT * FROM events']])(
    'by sshtrail %s, as text and as JSON',
    async (...command) => {
      const both = await Promise.all(
        [[], ['--json']].map((json) => sshtrail([...command, ...json, '--data', stack.data.root])),
      );

      for (const { code, stdout, stderr } of both) {
        expect(stderr).not.toMatch(raw);
        expect(stdout.toString()).not.toMatch(raw);
        expect(stdout.length).toBeGreaterThan(0);
        expect(code).toBe(0);
      }
    },
  );

  test('by an error that quotes the lake', async () => {
    const finished = await sshtrail([
      'query',
      `SELECT CAST(command AS bigint) FROM commands WHERE command LIKE 'forbidden%'`,
      '--data',
      stack.data.root,
    ]);

    expect(finished.stderr).toContain('forbidden');
    expect(finished.stderr).not.toMatch(raw);
    expect(finished.code).toBe(1);
  });

  test("by what the gateway's operator reads", () => {
    expect(stack.reports.join('\n')).not.toMatch(raw);
  });

  test('and JSON says it to a parser exactly', async () => {
    const finished = await sshtrail(['denied', '--json', '--data', stack.data.root]);

    const rows: unknown = JSON.parse(finished.stdout.toString());
    expect(rows).toContainEqual(expect.objectContaining({ command: `forbidden ${evil}` }));
  });
});

test('and a line of it forges no record: each line of the lake is one, and all are proved', async () => {
  await stack.running.journal.sealNow();

  const finished = await sshtrail(['verify', '--json', '--data', stack.data.root]);

  expect(JSON.parse(finished.stdout.toString())).toMatchObject({ ok: true, problems: [] });
});
