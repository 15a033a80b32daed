import { describe, expect, it } from 'vitest';
import { verifyObjectLake } from '../../../adapters/aws/index.ts';
import { type BlobStore, streamName } from '../../../core/contract/index.ts';
import { digestKeyOf, parseDigest } from '../../../core/digest/index.ts';
import { storesOver } from '../../adapters/aws/journal/memory-stores.ts';
import { command, started, stream } from '../../adapters/aws/journal/sample-stream.ts';
import { newSigner } from '../../core/digest/sample-digests.ts';
import { openPlace, sweep } from './sealing-place.ts';

const other = streamName('task-fedcba9876543210');
const minuteMs = 60_000;

type Place = ReturnType<typeof openPlace>;

function digestsOf({ memory }: Place, of: string = stream) {
  return [...memory.evidence]
    .filter(([key]) => key.startsWith('digests/') && key.includes(`/${of}/`))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, bytes]) => parseDigest(bytes).statement);
}

/** As somebody who has the bucket and the public key. */
async function verified({ memory, signer, clock }: Place, afterMs = 0) {
  const evidence: BlobStore = storesOver(memory).evidence;
  return verifyObjectLake(evidence, {
    liveSessions: 'streams',
    digests: {
      blobs: evidence,
      keys: [digestKeyOf(signer.publicKeySpki)].flatMap((key) => key ?? []),
      asOfMs: clock.nowMs + afterMs,
    },
  });
}

describe('digests', () => {
  it('are signed at each sweep, also where nothing happened, and say that a stream is closed', async () => {
    const place = openPlace();
    const journal = await place.gateway([started, command('a')], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;

    expect(await place.seal(sweep)).toMatchObject({ digests: 1 });
    expect(await place.seal(sweep)).toMatchObject({ digests: 1 });
    await journal.record(command('b'));
    await journal.close();
    await place.seal(sweep);
    expect(await place.seal(sweep)).toMatchObject({ digests: 0 });

    expect(digestsOf(place).map(({ kind, firstSeq, lastSeq }) => [kind, firstSeq, lastSeq])).toEqual([
      ['periodic', 1, 2],
      ['periodic', 3, 2],
      ['closing', 3, 3],
    ]);
    expect(await verified(place, 86_400_000)).toMatchObject({
      ok: true,
      streams: [{ digests: { number: 3, state: 'closed' } }],
    });
  });

  it('close a stream only at the sweep after the one that saw it first', async () => {
    const place = openPlace();
    await (await place.gateway([started], { sealed: true })).close();
    place.clock.nowMs -= 2 * minuteMs;

    await place.seal(sweep);
    await place.seal(sweep);
    await place.seal(sweep);

    expect(digestsOf(place).map(({ kind }) => kind)).toEqual(['periodic', 'closing']);
    expect(await verified(place, 86_400_000)).toMatchObject({ ok: true });
  });

  it('of a dead writer end with a closing one, after its stream was completed', async () => {
    const place = openPlace();
    await place.gateway([started, command('a')], { sealed: true });

    await place.seal(sweep);
    await place.seal(sweep);
    await place.seal(sweep);

    expect(digestsOf(place).at(-1)?.kind).toBe('closing');
    expect(await verified(place)).toMatchObject({ ok: true });
  });

  it('name those of other streams, so that a stream cannot be taken away', async () => {
    const place = openPlace();
    await place.gateway([started], { sealed: true });
    await place.gateway([started], { name: other, sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    await place.seal(sweep);
    await place.seal(sweep);
    expect(await verified(place)).toMatchObject({ ok: true });

    for (const key of place.memory.evidence.keys())
      if (key.includes(`/${other}/`)) place.memory.evidence.delete(key);

    expect((await verified(place)).problems.map(({ code }) => code)).toEqual(['missing-stream']);
  });

  it('are the same chain where two sweeps sign at once', async () => {
    const place = openPlace();
    await place.gateway([started, command('a')], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;

    for (let round = 0; round < 3; round += 1) await Promise.all([place.seal(sweep), place.seal(sweep)]);

    expect(await verified(place)).toMatchObject({ ok: true });
  });

  it.each(['control.put', 'evidence.put'])('go on after a sweep that lost an answer to %s', async (lost) => {
    const place = openPlace();
    const journal = await place.gateway([started, command('a')], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    const after = ({ name, key }: { readonly name: string; readonly key: string }) => {
      const isDigest = key.startsWith('digests/');
      if (
        (lost === 'evidence.put' && name === lost && isDigest) ||
        (lost === 'control.put' && name === lost && key.startsWith('check '))
      )
        throw new Error('the answer was lost');
    };

    await expect(place.seal(sweep, {}, { after })).rejects.toThrow('is not signed');
    await journal.record(command('b'));
    await journal.sealNow();
    await place.seal(sweep);
    await place.seal(sweep);

    expect(await verified(place)).toMatchObject({ ok: true, streams: [{ records: 3 }] });
  });

  it('are not signed beyond a segment that was changed', async () => {
    const place = openPlace();
    await place.gateway([started], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    const [key = ''] = place.memory.evidence.keys();
    place.memory.evidence.set(key, Buffer.from('something else'));

    await expect(place.seal(sweep)).rejects.toThrow('cannot be read on');

    expect(digestsOf(place)).toEqual([]);
  });

  it('ring the alarm where the key does not sign, and where somebody else has signed', async () => {
    const place = openPlace();
    await place.gateway([started], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    const broken = { ...place.signer, sign: () => Promise.reject(new Error('the key is disabled')) };

    await expect(place.seal(sweep, { signer: async () => broken })).rejects.toThrow('the key is disabled');
    const stranger = newSigner('ecdsa-p256-sha256');
    await place.seal(sweep, { signer: async () => stranger });
    for (const item of place.memory.control.keys())
      if (item.startsWith('check ')) place.memory.control.delete(item);

    await expect(place.seal(sweep)).rejects.toThrow('not signed by the evidence key');
  });

  it('cover what was sealed and ended in days when sweeps did not run', async () => {
    const place = openPlace();
    await place.gateway([started], { name: other, sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    await place.seal(sweep);
    await (await place.gateway([started, command('a')])).close();
    place.clock.nowMs += 3 * 86_400_000;

    await place.seal(sweep);
    await place.seal(sweep);

    expect(digestsOf(place).map(({ kind, lastSeq }) => [kind, lastSeq])).toEqual([
      ['periodic', 2],
      ['closing', 2],
    ]);
  });
});
