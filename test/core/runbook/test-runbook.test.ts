import { describe, expect, it } from 'vitest';
import { openTemporaryLake } from '../../../adapters/local/duckdb/index.ts';
import { testRunbook } from '../../../core/runbook/index.ts';
import { sampleRunbook } from './sample-runbook.ts';

const failuresOf = async (change: (yaml: string) => string) =>
  (await testRunbook(sampleRunbook(change), openTemporaryLake)).flatMap(({ failures }) => failures);

describe("a runbook's own tests", () => {
  it('pass where the query does what they say', async () => {
    expect(await failuresOf((yaml) => yaml)).toEqual([]);
  });

  it('fail where the query finds nothing', async () => {
    const failures = await failuresOf((yaml) => yaml.replace('<> ${inputs.name}', '= ${inputs.name}'));

    expect(failures).toEqual([
      'expected 1 findings, got 0',
      'no finding has {"session_id":"s1"}; there are no more',
    ]);
  });

  it('fail where a row has another value', async () => {
    const failures = await failuresOf((yaml) =>
      yaml.replace('[{ session_id: s1 }]', '[{ session_id: s1, still_open: false }]'),
    );

    expect(failures).toEqual([expect.stringContaining('no finding has')]);
  });

  it.each([
    ['actions: [notify]', 'expected the actions notify'],
    ['notActions: [session.revoke]', 'session.revoke was not to be taken'],
    ['pendingApproval: 1', 'expected 1 steps to wait'],
  ])('fail where %s is not so', async (expectation, message) => {
    const failures = await failuresOf((yaml) =>
      yaml.replace('findings: [{ session_id: s1 }]', `findings: 1, ${expectation}`),
    );

    expect(failures).toEqual([expect.stringContaining(message)]);
  });
});
