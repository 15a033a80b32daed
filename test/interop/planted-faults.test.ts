import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditDraft } from '#core/contract';
import type { GatewayParts } from '../../proxy-task/index.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
let steady: ChildProcess;
let heard = '';
const uncaught: unknown[] = [];
const note = (error: unknown) => void uncaught.push(error);

/** Parts that fail for the sessions whose command names the place. */
function faulty(parts: GatewayParts): GatewayParts {
  const { journal, recorder, inventory, control, policies } = parts;
  let asksPolicy = false;
  const names = (draft: AuditDraft, place: string) =>
    draft.requestParameters['command']?.includes(place) === true;
  return {
    ...parts,
    journal: {
      ...journal,
      subscribe: (listener) => journal.subscribe(listener),
      close: () => journal.close(),
      record(draft) {
        asksPolicy = names(draft, 'policy-next');
        if (names(draft, 'gate-throws')) throw new Error('planted in the journal, at once');
        if (names(draft, 'gate-rejects')) return Promise.reject(new Error('planted in the journal'));
        return journal.record(draft);
      },
    },
    recorder: {
      settled: () => recorder.settled(),
      start(start) {
        if (start.command?.includes('recorder-start') === true) throw new Error('planted in the recorder');
        const channel = recorder.start(start);
        const at = (place: string) => start.command?.includes(place) === true;
        return {
          resize: (columns, rows) => channel.resize(columns, rows),
          marker: (label) => channel.marker(label),
          input: (data) => channel.input(data),
          pendingLine: (ahead) => channel.pendingLine(ahead),
          output(data, stream) {
            if (at('tap-throws')) throw new Error('planted in a tap');
            channel.output(data, stream);
          },
          finish(exit, putOnRecord) {
            if (at('finish-throws')) throw new Error('planted in the end of a recording, at once');
            if (at('finish-rejects')) return Promise.reject(new Error('planted in the end of a recording'));
            return channel.finish(exit, putOnRecord);
          },
        };
      },
    },
    inventory: {
      ...inventory,
      list: () => inventory.list(),
      find(name) {
        if (name === 'inventory-throws') throw new Error('planted in the inventory');
        return inventory.find(name);
      },
    },
    control: {
      ...control,
      put: (kind, id, data, condition) =>
        'target' in data && data.target === 'control-rejects'
          ? Promise.reject(new Error('planted in the control store'))
          : control.put(kind, id, data, condition),
    },
    policies: {
      ...policies,
      current() {
        if (asksPolicy) {
          asksPolicy = false;
          throw new Error('planted in the policy');
        }
        return policies.current();
      },
    },
  };
}

beforeAll(async () => {
  process.on('uncaughtException', note).on('unhandledRejection', note);
  stack = await startStack({
    parts: faulty,
    extraTargets: ({ target }) => [{ ...target, name: 'control-rejects' }],
  });
  stack.running.journal.subscribe(() => {
    throw new Error('planted in a subscriber');
  });
  steady = spawn('ssh', [...stack.sshOptions, stack.destination(), 'cat']);
  steady.stdout?.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
});

afterAll(async () => {
  steady?.kill('SIGKILL');
  await stack?.close();
  process.off('uncaughtException', note).off('unhandledRejection', note);
});

/** The session that was there before goes on, a new one begins, and no fault went past everybody. */
async function expectUnharmed(word: string): Promise<void> {
  steady.stdin?.write(`${word}\n`);
  await expect.poll(() => heard, { timeout: 10_000 }).toContain(`${word}\n`);
  const good = await stack.ssh([`echo good ${word}`]);
  expect(good.stdout.toString(), good.stderr).toBe(`good ${word}\n`);
  expect(uncaught).toEqual([]);
}

test.each([
  'gate-throws',
  'gate-rejects',
  'recorder-start',
  'tap-throws',
  'finish-throws',
  'finish-rejects',
  'policy-next',
])('a fault at %s costs that session alone', async (place) => {
  const finished = await stack.ssh([`echo ${place}; sleep 0.2; echo more`]);
  if (place === 'policy-next') await stack.ssh(['true']);

  // What fails once the program is over ends a session that had nothing left to do.
  if (!place.startsWith('finish') && place !== 'policy-next') expect(finished.code).toBe(255);
  await expectUnharmed(place.toUpperCase());
});

test.each(['inventory-throws', 'control-rejects'])(
  'a fault at login (%s) costs that login alone',
  async (name) => {
    const finished = await stack.ssh(['echo in'], { destination: stack.destination(name) });

    expect(finished.stdout.toString()).toBe('');
    expect(finished.code).toBe(255);
    await expectUnharmed(name.toUpperCase());
  },
);

test('every session that failed has its end on record, and a subscriber that throws is told of', async () => {
  const rows = await stack.eventually(
    "SELECT count(*) FILTER (WHERE event_name = 'StartSession') AS started, count(*) FILTER (WHERE event_name = 'EndSession') AS ended FROM events",
  );

  // One is still there.
  expect(Number(rows[0]?.['started']) - Number(rows[0]?.['ended'])).toBe(1);
  expect(stack.reports.join('\n')).toContain('planted in a subscriber');
});
