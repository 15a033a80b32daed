import type { Released } from './bulk-brake.ts';

/** Judged at once, so that a heading before a binary stays. */
const windowBytes = 4096;
/** Of binary output so much of a window is looked at first: a backup of a disk is not read byte by byte. */
const sampleBytes = 256;
/** Fewer bytes that are no text say nothing of what they stand in. */
const minSigns = 16;
/** One byte in so many that is no text makes a window binary: compressed data has one in nine, a list of paths that end in NUL one in some forty. */
const signShare = 16;

/** Control characters that text, in whatever encoding, does not have; terminal output has BEL, BS, TAB, LF, VT, FF, CR, SO, SI and ESC. */
const isSign = new Uint8Array(256);
for (let byte = 0; byte < 32; byte += 1) isSign[byte] = byte < 7 || (byte > 15 && byte !== 27) ? 1 : 0;
isSign[127] = 1;

/**
 * Keeps binary output of a command without a terminal out of the recording, where it would stand escaped at six times its size and
 * nobody could read it: how much was left out stays.
 */
export class BinaryBrake {
  #binary = false;
  #skipped = 0;
  #fromMs = 0;

  output(atMs: number, data: Uint8Array): readonly Released[] {
    const released: Released[] = [];
    let textFrom = 0;
    for (let start = 0; start < data.length; start += windowBytes) {
      const end = Math.min(start + windowBytes, data.length);
      const wasBinary = this.#binary;
      this.#judge(data, start, end);
      if (this.#binary) {
        if (!wasBinary) {
          if (start > textFrom) released.push(this.#release(data.subarray(textFrom, start)));
          this.#fromMs = atMs;
        }
        this.#skipped += end - start;
        textFrom = end;
      }
    }
    if (textFrom < data.length) released.push(this.#release(data.subarray(textFrom)));
    return released;
  }

  end(): readonly Released[] {
    return this.#skipped === 0 ? [] : [this.#release(new Uint8Array())];
  }

  /** A window that says little is what was before it. */
  #judge(data: Uint8Array, start: number, end: number): void {
    const sampleEnd = Math.min(start + sampleBytes, end);
    let signs = signsIn(data, start, sampleEnd);
    if (this.#binary && signs >= minSigns && signs * signShare >= sampleBytes) return;
    signs += signsIn(data, sampleEnd, end);
    const bytes = end - start;
    if (signs >= minSigns) this.#binary = signs * signShare >= bytes;
    else if (bytes >= windowBytes / 2 || signs === 0) this.#binary = false;
  }

  #release(data: Uint8Array): Released {
    const omitted = this.#skipped === 0 ? undefined : { fromMs: this.#fromMs, bytes: this.#skipped };
    this.#skipped = 0;
    return { omitted, data };
  }
}

function signsIn(data: Uint8Array, start: number, end: number): number {
  let signs = 0;
  for (let at = start; at < end; at += 1) signs += isSign[data[at] ?? 0] ?? 0;
  return signs;
}
