import type { Place, ProblemList } from './problem.ts';

/** Numbers of a stream that were skipped; a record that stands too late may still fill its place. */
export type GapList = {
  open(from: number, to: number, noticedAt: Place, atFileStart: boolean): void;
  /** True when the number was missing so far. */
  fill(seq: number): boolean;
  report(): void;
};

type Gap = {
  readonly from: number;
  readonly to: number;
  readonly noticedAt: Place;
  readonly atFileStart: boolean;
  readonly problem: ReturnType<ProblemList['reserve']>;
};

/** Beyond this many a gap is reported at once, and what fills it later counts as a repetition. */
const maxGaps = 10_000;

export function gapList(stream: string, problems: ProblemList): GapList {
  let gaps: readonly Gap[] = [];
  return {
    open(from, to, noticedAt, atFileStart) {
      const gap = { from, to, noticedAt, atFileStart, problem: problems.reserve() };
      if (gaps.length < maxGaps) gaps = [...gaps, gap];
      else reportGap(stream, gap);
    },
    fill(seq) {
      const gap = gaps.find(({ from, to }) => from <= seq && seq <= to);
      if (gap === undefined) return false;
      const rest = [
        { ...gap, to: seq - 1 },
        { ...gap, from: seq + 1, problem: problems.reserve() },
      ];
      gaps = [...gaps.filter((other) => other !== gap), ...rest.filter(({ from, to }) => from <= to)];
      return true;
    },
    report() {
      for (const gap of gaps) reportGap(stream, gap);
    },
  };
}

function reportGap(stream: string, { from, to, noticedAt, atFileStart, problem }: Gap): void {
  const numbers = from === to ? `number ${from}` : `numbers ${from} to ${to}`;
  const code = !atFileStart ? 'missing-record' : from === 1 ? 'missing-start' : 'missing-segment';
  problem(code, noticedAt, `${numbers} of stream ${stream} are missing before this record`);
}
