import { isDeepStrictEqual } from 'node:util';

/** Something that takes bytes from strangers, and what it must keep to whatever they are. */
export type FuzzTarget = {
  /** A folder of the same name holds its seeds. */
  readonly name: string;
  readonly about: string;
  /** Inputs to start from, the same at every call. */
  readonly starts: () => readonly Buffer[];
  /** Pieces that are worth putting into an input. */
  readonly tokens: readonly string[];
  /** Rejects, or throws, where a promise was broken. */
  run(input: Buffer): void | Promise<void>;
};

/** A promise that an input broke. */
export class Breach extends Error {
  override readonly name = 'Breach';
}

export type ParserSpec<T> = {
  readonly name: string;
  readonly about: string;
  readonly starts: () => readonly Buffer[];
  readonly tokens?: readonly string[];
  /** The errors this parser may throw. */
  readonly family: readonly (abstract new (
    ...given: never[]
  ) => Error)[];
  parse(input: Buffer): T;
  /** Writes what was read, where that can be; reading it must give the same. */
  encode?(value: T): Buffer | undefined;
  /** What else must hold of a value that was read. */
  expect?(value: T, input: Buffer): void;
};

/** What was read may weigh this much a byte of input, names of fields included, and this much besides. */
const weightPerByte = 64;
const weightBesides = 16_384;

/** A parser: refuses in its own words or reads, leaves its input alone, and makes no more of it than it is. */
export function parserTarget<T>(spec: ParserSpec<T>): FuzzTarget {
  const { name, about, starts, tokens = [] } = spec;
  return {
    name,
    about,
    starts,
    tokens,
    run(input) {
      const given = Buffer.from(input);
      const parsed = outcomeOf(() => spec.parse(input));
      if (!given.equals(input)) throw new Breach('the input was changed');
      if ('error' in parsed) {
        const { error } = parsed;
        if (!spec.family.some((kind) => error instanceof kind))
          throw new Breach(`an error of another family: ${describe(error)}`, { cause: error });
        return;
      }
      const { value } = parsed;
      const weight = weigh(value);
      if (weight > weightBesides + input.length * weightPerByte)
        throw new Breach(`${input.length} bytes became a value that weighs ${weight}`);
      spec.expect?.(value, input);
      const written = spec.encode?.(value);
      if (written !== undefined && !isDeepStrictEqual(spec.parse(written), value))
        throw new Breach('what was read is not read the same once written');
    },
  };
}

export function expectThat(condition: boolean, what: string): void {
  if (!condition) throw new Breach(what);
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** About the bytes a value holds on to: views of the input count as their length. */
function weigh(value: unknown, seen = new Set<object>()): number {
  if (typeof value === 'string') return 16 + value.length;
  if (typeof value !== 'object' || value === null) return 16;
  if (seen.has(value)) return 8;
  seen.add(value);
  if (value instanceof Uint8Array) return 32 + value.length;
  const items = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : undefined;
  const held = items ?? Object.values(value);
  return held.reduce((sum: number, item) => sum + weigh(item, seen), 32);
}

function outcomeOf<T>(parse: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: parse() };
  } catch (error) {
    return { error };
  }
}
