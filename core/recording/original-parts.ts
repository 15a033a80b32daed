import type { RecordingId } from '#core/contract';
import { type SealingKey, sealOriginal } from '#core/sealing';
import { type CastHeader, type CastInput, createCastEncoder } from './cast-encoder.ts';

/** A part of what a channel showed before secrets were hidden, sealed. */
export type OriginalPart = { readonly number: number; readonly bytes: Uint8Array };

/**
 * Seals what a channel showed as it came: opened and joined, the parts are one asciicast v3 file. Each is whole by itself, so that what is
 * lost with the process is the part that was not full yet. Times as in `SegmentBuilder`.
 */
export type OriginalParts = {
  push(atMs: number, event: CastInput): readonly OriginalPart[];
  /** Ends a part that is old enough. */
  tick(atMs: number): readonly OriginalPart[];
  /** Once, at the end. */
  end(atMs: number): readonly OriginalPart[];
};

export type OriginalSealing = {
  readonly recipient: SealingKey;
  /** Gives as many bytes as asked for that nobody can foresee. */
  readonly randomBytes: (size: number) => Uint8Array;
};

/** What a part is the original of; the one that opens it needs the same. */
export function originalContext(recordingId: RecordingId, number: number): string {
  return `${recordingId} original ${number}`;
}

export function createOriginalParts(
  head: CastHeader & { readonly recordingId: RecordingId },
  { recipient, randomBytes }: OriginalSealing,
  limits: { readonly textBytes: number; readonly ageMs: number },
): OriginalParts {
  const encoder = createCastEncoder(head);
  let next = 0;
  let open:
    | {
        readonly number: number;
        readonly sealer: ReturnType<typeof sealOriginal>;
        readonly sealed: Buffer[];
        readonly firstMs: number;
        textBytes: number;
      }
    | undefined;

  function keep(atMs: number, lines: string): void {
    if (lines === '') return;
    if (open === undefined) {
      const context = originalContext(head.recordingId, next);
      const sealer = sealOriginal({ recipient, context, randomBytes });
      open = { number: next, sealer, sealed: [], firstMs: atMs, textBytes: 0 };
      if (next === 0) open.sealed.push(sealer.update(Buffer.from(encoder.header, 'utf8')));
      next += 1;
    }
    const text = Buffer.from(lines, 'utf8');
    open.textBytes += text.length;
    open.sealed.push(open.sealer.update(text));
  }

  function finished(): readonly OriginalPart[] {
    if (open === undefined) return [];
    const { number, sealer, sealed } = open;
    open = undefined;
    return [{ number, bytes: Buffer.concat([...sealed, sealer.final()]) }];
  }

  const isOld = (atMs: number): boolean => open !== undefined && atMs - open.firstMs >= limits.ageMs;
  return {
    push(atMs, event) {
      keep(atMs, encoder.encode(atMs, event));
      return isOld(atMs) || (open?.textBytes ?? 0) >= limits.textBytes ? finished() : [];
    },
    tick: (atMs) => (isOld(atMs) ? finished() : []),
    end(atMs) {
      keep(atMs, encoder.end(atMs));
      return finished();
    },
  };
}
