import { type ChainedRecord, genesisHash } from '#core/chain';
import { gapList } from './gap-list.ts';
import type { Place, ProblemList } from './problem.ts';

export type StreamSummary = {
  readonly stream: string;
  readonly records: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** chainHash of the last record; with its sequence number it fixes everything before. */
  readonly headHash: string;
};

export type Head = { readonly seq: number; readonly hash: string };

export type Run = {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly previousHash: string;
  readonly lastHash: string;
};

export type StreamState = {
  /** The record stands in the stream's order at this place. */
  place(record: ChainedRecord, at: Place, atFileStart: boolean): void;
  /** Records that follow on each other. False where they do not follow on what was before, and nothing was placed. */
  placeRun(run: Run): boolean;
  /** A line that was changed, whose word on its number counts for nothing, took one place. */
  skip(): void;
  finish(lastFile: string): StreamSummary;
};

/**
 * Follows one stream: every sequence number once, in order, each record naming the hash of the one before, and
 * `knownHead` among them where there is one.
 */
export function streamState(
  stream: string,
  start: 'genesis' | 'any',
  knownHead: Head | undefined,
  problems: ProblemList,
): StreamState {
  let records = 0;
  let firstSeq = 0;
  let expected: number | undefined = start === 'genesis' ? 1 : undefined;
  let previousHash: string | undefined = start === 'genesis' ? genesisHash : undefined;
  let head: Head = { seq: 0, hash: genesisHash };
  let knownHeadSeen = knownHead === undefined;
  const gaps = gapList(stream, problems);

  return {
    place(record, at, atFileStart) {
      const { seq } = record.chain;
      records += 1;
      if (expected !== undefined && seq < expected) {
        if (gaps.fill(seq))
          problems.add('reordered', at, `number ${seq} of stream ${stream} stands after ${expected - 1}`);
        else problems.add('duplicate-sequence', at, `number ${seq} of stream ${stream} stands a second time`);
        return;
      }
      if (expected !== undefined && seq > expected) gaps.open(expected, seq - 1, at, atFileStart);
      else if (previousHash !== undefined && record.chain.previousHash !== previousHash)
        problems.add(
          'broken-link',
          at,
          `number ${seq} of stream ${stream} does not follow from the record before it: one of the two was replaced`,
        );
      if (firstSeq === 0) firstSeq = seq;
      expected = seq + 1;
      previousHash = record.chain.hash;
      head = { seq, hash: record.chain.hash };
      if (seq === knownHead?.seq && head.hash === knownHead.hash) knownHeadSeen = true;
    },
    placeRun({ firstSeq: first, lastSeq, previousHash: runPrevious, lastHash }) {
      if (expected !== undefined && first !== expected) return false;
      if (previousHash !== undefined && runPrevious !== previousHash) return false;
      // Of the records within nothing is said here.
      if (knownHead !== undefined && first <= knownHead.seq && knownHead.seq < lastSeq) return false;
      records += lastSeq - first + 1;
      if (firstSeq === 0) firstSeq = first;
      expected = lastSeq + 1;
      previousHash = lastHash;
      head = { seq: lastSeq, hash: lastHash };
      if (knownHead?.seq === lastSeq && knownHead.hash === lastHash) knownHeadSeen = true;
      return true;
    },
    skip() {
      if (expected !== undefined) expected += 1;
      previousHash = undefined;
    },
    finish(lastFile) {
      gaps.report();
      if (!knownHeadSeen)
        problems.add(
          'missing-tail',
          { file: lastFile },
          `stream ${stream} once had number ${knownHead?.seq} with hash ${knownHead?.hash}, and has it no more; it ends with ${head.seq}`,
        );
      return { stream, records, firstSeq, lastSeq: head.seq, headHash: head.hash };
    },
  };
}
