/** Bytes of one file within a block. */
export type HashSegment = { readonly file: number; readonly start: number; readonly end: number };

/** To the worker. A block comes back when it was hashed; `ends` are the files whose hash is wanted after it, `drops` those whose is not. */
export type HashOrder = {
  readonly block: ArrayBuffer;
  readonly segments: readonly HashSegment[];
  readonly ends: readonly number[];
  readonly drops: readonly number[];
};

/** From the worker, one for each order. */
export type HashAnswer = {
  readonly block: ArrayBuffer;
  readonly digests: readonly { readonly file: number; readonly sha256: string }[];
};
