import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

export type FakePlugin = {
  /** The program. */
  readonly path: string;
  /** What it was started with; throws where it was not. */
  started(): z.output<typeof startedSchema>;
};

const startedSchema = z.object({
  pid: z.number(),
  argv: z.array(z.string()),
  session: z.object({ SessionId: z.string(), TokenValue: z.string(), StreamUrl: z.string() }),
  variables: z.array(z.string()),
});

/** Says what it was started with, then does `act`. */
const preamble = (file: string) => `
const { writeFileSync } = require('node:fs');
const argv = process.argv.slice(2);
const session = JSON.parse(process.env[argv[0]]);
writeFileSync(${JSON.stringify(file)}, JSON.stringify({
  pid: process.pid, argv, session, variables: Object.keys(process.env),
}));
`;

/** Standard input and output, to and from the port that was asked for; the end of either ends it, once all of it is written. */
const connect = `
const net = require('node:net');
const port = Number(JSON.parse(argv[4]).Parameters.portNumber[0]);
const socket = net.connect(port, '127.0.0.1');
process.stdin.pipe(socket).pipe(process.stdout);
socket.on('close', () => process.stdin.destroy());
`;

/** A session-manager-plugin in this folder. `act` is JavaScript; it connects to the port where absent. */
export function fakePlugin(folder: string, act = connect): FakePlugin {
  const path = join(folder, 'session-manager-plugin');
  const file = join(folder, 'started.json');
  writeFileSync(path, `#!${process.execPath}\n${preamble(file)}${act}`, { mode: 0o755 });
  return { path, started: () => startedSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) };
}
