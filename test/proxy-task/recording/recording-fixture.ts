import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createFolderBlobStore } from '../../../adapters/local/index.ts';
import { type BlobStore, type SessionId, sessionId } from '../../../core/contract/index.ts';
import {
  type CastEvent,
  castEvents,
  loadManifest,
  type RecordingManifest,
  recordingBytes,
} from '../../../core/recording/index.ts';
import type { RecordingStart } from '../../../proxy-task/recording/recorder.ts';

export const session: SessionId = sessionId('s-0123456789abcdef0123456789abcdef');

export function folders(): {
  readonly spoolDirectory: string;
  readonly store: BlobStore;
  readonly lake: string;
} {
  const root = mkdtempSync(join(tmpdir(), 'sshtrail-test-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const lake = join(root, 'lake');
  return { spoolDirectory: join(root, 'spool'), store: createFolderBlobStore(lake), lake };
}

export function shell(change: Partial<RecordingStart> = {}): RecordingStart {
  return {
    sessionId: session,
    channel: 'c1',
    kind: 'shell',
    columns: 80,
    rows: 24,
    term: 'xterm-256color',
    onFault: (error) => {
      throw error;
    },
    ...change,
  };
}

export type ReadRecording = {
  readonly manifest: RecordingManifest;
  readonly file: string;
  readonly events: readonly CastEvent[];
  /** All output, in order. */
  readonly text: string;
};

/** Reads a stored recording back with the strict reader. */
export async function readRecording(store: BlobStore, key: string): Promise<ReadRecording> {
  const manifest = await loadManifest(store, key);
  const file = Buffer.concat(await Array.fromAsync(recordingBytes(store, key, manifest)));
  const events = await Array.fromAsync(castEvents(recordingBytes(store, key, manifest)));
  const text = events.map((event) => (event.code === 'o' ? event.data : '')).join('');
  return { manifest, file: file.toString('utf8'), events, text };
}
