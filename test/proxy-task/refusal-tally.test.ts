import { expect, test } from 'vitest';
import type { AuditDraft } from '#core/contract';
import { createRefusalTally } from '../../proxy-task/refusal-tally.ts';

function tallyWith() {
  const drafts: AuditDraft[] = [];
  const clock = { atMs: 1_795_169_730_000 };
  const tally = createRefusalTally({
    proxyId: 'gateway-1',
    record: async (draft) => drafts.push(draft),
    now: () => clock.atMs,
    randomBytes: (size) => Buffer.alloc(size, 1),
  });
  const told = () => drafts.map((draft) => `${draft.sourceIPAddress} ${draft.errorMessage}`);
  return { tally, clock, drafts, told };
}

const source = (last: number) => ({ ip: `192.0.2.${last}`, port: 50_000 });

test('the first refusal of a source is on record at once, and the others once a minute as a number', async () => {
  const { tally, clock, drafts, told } = tallyWith();

  for (let count = 0; count < 500; count += 1) tally.count(source(1), 'starting-too-fast');
  await tally.flush('due');
  clock.atMs += 60_000;
  await tally.flush('due');

  expect(told()).toEqual([
    '192.0.2.1 1 connection from this address not taken: starting-too-fast',
    '192.0.2.1 499 connections from this address not taken: starting-too-fast',
  ]);
  expect(drafts[0]).toMatchObject({
    eventName: 'DenyAccess',
    errorCode: 'SessionLimitExceeded',
    additionalEventData: { denyReason: 'starting-too-fast', proxyId: 'gateway-1' },
  });
});

test('nothing that was counted is lost at the end', async () => {
  const { tally, told } = tallyWith();
  for (let count = 0; count < 3; count += 1) tally.count(source(1), 'too-many-startups');

  await tally.flush('all');
  await tally.flush('all');

  expect(told()).toEqual([
    '192.0.2.1 1 connection from this address not taken: too-many-startups',
    '192.0.2.1 2 connections from this address not taken: too-many-startups',
  ]);
});

test('a flood from many addresses makes a bounded number of events', async () => {
  const { tally, clock, drafts } = tallyWith();
  for (let index = 0; index < 20_000; index += 1)
    tally.count({ ip: `198.51.${index >> 8}.${index & 0xff}`, port: 1 }, 'too-many-connections');

  clock.atMs += 60_000;
  await tally.flush('due');

  expect(drafts.length).toBeLessThanOrEqual(1002);
  expect(drafts.at(-1)?.errorMessage).toMatch(/^1\d{4} connections/);
});

test('a source that went quiet is forgotten, and begins anew', async () => {
  const { tally, clock, told } = tallyWith();
  tally.count(source(1), 'too-many-startups');
  clock.atMs += 60_000;
  await tally.flush('due');

  tally.count(source(1), 'too-many-startups');

  expect(told()).toHaveLength(2);
});
