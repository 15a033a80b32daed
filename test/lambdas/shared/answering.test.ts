import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startProxy } from '../../../core/event/index.ts';
import { answering, createLog, jsonResponse, startInvocation } from '../../../lambdas/shared/index.ts';
import { type Around, memoryStores, storesOver } from '../../adapters/aws/journal/memory-stores.ts';
import { atMs, lakeRecords, names } from '../../adapters/aws/journal/sample-stream.ts';
import { origin } from '../../core/chain/sample-chain.ts';

function open(around: Around = {}) {
  const memory = memoryStores();
  const lines: string[] = [];
  const counts: [string, number][] = [];
  const log = createLog((line) => lines.push(line), {
    function: 'control-api',
    requestId: 'r-1',
    now: () => atMs,
  });
  const invocation = startInvocation({
    stores: { ...storesOver(memory, around), sinks: async () => [] },
    origin,
    functionName: 'control-api',
    log,
    now: () => atMs,
    randomBytes,
  });
  const told = {
    log,
    count: (metric: string, value: number) => void counts.push([metric, value]),
    requestId: 'r-1',
  };
  const record = () =>
    invocation.journal.record(
      startProxy({ proxyId: 'p-1', version: '1' }, atMs, { listen: [], tornBytes: 0, lostSessions: 0 }),
    );
  return { memory, invocation, told, lines, counts, record };
}

describe('an answer', () => {
  it('goes out when what was recorded is sealed', async () => {
    const { invocation, told, record, memory, counts } = open();

    const answer = await answering(invocation, told, async () => {
      await record();
      return jsonResponse(200, { ok: true });
    });

    expect(answer.statusCode).toBe(200);
    expect(names(await lakeRecords(memory))).toEqual(['StartProxy']);
    expect(counts).toEqual([]);
  });

  it('of a fault says an id and nothing of the fault, which the log has', async () => {
    const { invocation, told, lines, counts } = open();

    const answer = await answering(invocation, told, async () => {
      throw new Error('secret at handler.ts:1');
    });

    expect(answer).toMatchObject({ statusCode: 503, body: expect.stringContaining('r-1') });
    expect(answer.body).not.toContain('secret');
    expect(lines.join()).toContain('secret');
    expect(counts).toEqual([['ApiFailures', 1]]);
  });

  it('goes out also where sealing failed, since what was recorded is durable; the seal function completes it', async () => {
    const { invocation, told, record, memory, counts } = open({
      before: ({ name }) => {
        if (name === 'evidence.put') throw new Error('the bucket is gone');
      },
    });

    const answer = await answering(invocation, told, async () => {
      await record();
      return jsonResponse(200, { ok: true });
    });

    expect(answer.statusCode).toBe(200);
    expect(counts).toEqual([['ApiFailures', 1]]);
    expect([...memory.journal.keys()]).toHaveLength(1);
    expect([...memory.control.keys()].some((key) => key.startsWith('writer control-api-'))).toBe(true);
  });
});
