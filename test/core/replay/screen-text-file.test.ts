import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { screenTextFile, screenTextKey, storeScreenText } from '../../../core/replay/index.ts';
import { recorded, recordedHead } from '../../support/segmented-recording.ts';

function rowsOf(file: Uint8Array): readonly unknown[] {
  return gunzipSync(file)
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

describe('the text of a recording', () => {
  it('is a row for each line, with when it was said, and one that says that this is all', async () => {
    const { store, key, manifest } = await recorded(
      [
        [1000, '$ ls /etc\r\n'],
        [2500, 'sudoers\r\n'],
      ],
      { endMs: 3000 },
    );

    const rows = rowsOf(await screenTextFile(store, key, manifest));

    const { sessionId } = recordedHead;
    const row = { session_id: sessionId, recording_id: `${sessionId}/c1` };
    expect(rows).toEqual([
      // When the screen last said so.
      { ...row, said_at: '2026-11-20T10:15:02.500Z', seconds: 2.5, text: '$ ls /etc' },
      { ...row, said_at: '2026-11-20T10:15:02.500Z', seconds: 2.5, text: 'sudoers' },
      { ...row, said_at: '2026-11-20T10:15:03.000Z', seconds: 3, outcome: 'complete' },
    ]);
  });

  it.each([
    ['rows', { maxLines: 2, maxLineLength: 100, maxLength: 1000 }],
    ['text', { maxLines: 100, maxLineLength: 100, maxLength: 400 }],
  ])('says where there is more than the bound of its %s', async (_name, limits) => {
    const { store, key, manifest } = await recorded(
      Array.from({ length: 40 }, (_, n) => [n, `line ${n}\r\n`] as const),
    );

    const rows = rowsOf(await screenTextFile(store, key, manifest, limits));

    expect(rows).toHaveLength(3);
    expect(rows.at(-1)).toMatchObject({ outcome: 'cut' });
  });

  it('keeps what a screen drew as text, which can forge no row', async () => {
    const hostile = '{"session_id":"s-ffffffffffffffffffffffffffffffff","text":"forged"}';
    const { store, key, manifest } = await recorded([[1, `${hostile}\r\n\u001b]0;x\u0007`]]);

    const rows = rowsOf(await screenTextFile(store, key, manifest));

    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ session_id: recordedHead.sessionId });
  });

  it('lies under the day of its recording, and is made once', async () => {
    const { store, key, manifest } = await recorded([[1, 'x']]);

    await storeScreenText(store, key);
    await storeScreenText(store, key);

    const place = `screen-text/dt=2026-11-20/${recordedHead.sessionId}/c1.ndjson.gz`;
    expect(screenTextKey(manifest)).toBe(place);
    expect(await store.get(place)).toEqual(await screenTextFile(store, key, manifest));
  });

  it('is not made of a recording that was changed', async () => {
    const { store, key, manifest } = await recorded([[1, 'x']]);
    const chunks = manifest.chunks.map((chunk) => ({ ...chunk, sha256: '0'.repeat(64) }));

    const file = screenTextFile(store, key, { ...manifest, chunks });

    await expect(file).rejects.toMatchObject({ code: 'mismatch' });
  });
});
