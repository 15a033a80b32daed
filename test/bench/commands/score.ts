/** What a shell's own hooks say ran. Optional lines neither help nor harm; `alt` are other spellings that are right. */
export type Truth = {
  readonly commands: readonly {
    readonly text: string;
    readonly optional?: boolean;
    readonly alt?: readonly string[];
  }[];
  readonly secrets: readonly string[];
};

export type Score = {
  readonly wanted: number;
  readonly found: number;
  readonly told: number;
  readonly wrong: number;
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  readonly leaked: readonly string[];
};

type TruthLine = { readonly line: string; readonly optional: boolean; readonly alt: readonly string[] };

/** Aligns what was told with the truth, line by line and in order. `output` is all that was written, for leaks. */
export function score(truth: Truth, told: readonly string[], output: string): Score {
  const wanted = truth.commands.flatMap(({ text, optional = false, alt = [] }) => {
    const lines = normalLines(text);
    const spellings = lines.length === 1 ? alt.flatMap(normalLines) : [];
    return lines.map((line): TruthLine => ({ line, optional, alt: spellings }));
  });
  const lines = told.flatMap(normalLines);
  const pairs = align(wanted, lines);
  const matched = new Set(pairs.map(([, line]) => line));
  const found = new Set(pairs.map(([want]) => want));
  const optionalPairs = pairs.filter(([want]) => wanted[want]?.optional === true).length;
  const missing = wanted.filter(({ optional }, at) => !optional && !found.has(at)).map(({ line }) => line);
  const extra = lines.filter((_, at) => !matched.has(at));
  const needed = wanted.filter(({ optional }) => !optional).length;
  return {
    wanted: needed,
    found: needed - missing.length,
    told: lines.length - optionalPairs,
    wrong: extra.length,
    missing,
    extra,
    leaked: truth.secrets.filter((secret) => output.includes(secret)),
  };
}

export type Total = {
  readonly scenarios: number;
  readonly perfect: number;
  readonly precision: number;
  readonly recall: number;
  readonly leaks: number;
};

export function total(scores: readonly Score[]): Total {
  const sum = (of: (score: Score) => number): number =>
    scores.reduce((before, score) => before + of(score), 0);
  const [told, wanted] = [sum(({ told }) => told), sum(({ wanted }) => wanted)];
  return {
    scenarios: scores.length,
    perfect: scores.filter(isPerfect).length,
    precision: told === 0 ? 1 : (told - sum(({ wrong }) => wrong)) / told,
    recall: wanted === 0 ? 1 : sum(({ found }) => found) / wanted,
    leaks: scores.filter(({ leaked }) => leaked.length > 0).length,
  };
}

export function isPerfect(score: Score): boolean {
  return score.wrong === 0 && score.missing.length === 0 && score.leaked.length === 0;
}

function normalLines(text: string): string[] {
  return text
    .replace(/\\\n/g, '')
    .split('\n')
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '');
}

/** The longest common subsequence, as pairs of indices. */
function align(wanted: readonly TruthLine[], lines: readonly string[]): [number, number][] {
  const equal = (want: number, line: number): boolean =>
    wanted[want]?.line === lines[line] || (wanted[want]?.alt.includes(lines[line] ?? '') ?? false);
  const length = Array.from({ length: wanted.length + 1 }, () =>
    Array.from({ length: lines.length + 1 }, () => 0),
  );
  const at = (want: number, line: number): number => length[want]?.[line] ?? 0;
  for (let want = wanted.length - 1; want >= 0; want -= 1)
    for (let line = lines.length - 1; line >= 0; line -= 1) {
      const best = equal(want, line)
        ? at(want + 1, line + 1) + 1
        : Math.max(at(want + 1, line), at(want, line + 1));
      length[want]?.splice(line, 1, best);
    }
  const pairs: [number, number][] = [];
  for (let want = 0, line = 0; want < wanted.length && line < lines.length; ) {
    if (equal(want, line) && at(want, line) === at(want + 1, line + 1) + 1) pairs.push([want++, line++]);
    else if (at(want + 1, line) >= at(want, line + 1)) want += 1;
    else line += 1;
  }
  return pairs;
}
