import { type Profiler, Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';

/** Which of our code ran, by the engine's own block counters (Profiler.takePreciseCoverage). */
export type Coverage = {
  /** What ran since the last look. */
  look(): Look;
  /** Characters of source that were reached so far. */
  readonly total: number;
  stop(): void;
};

export type Look = {
  /** Characters of source among it that count as not reached so far. */
  readonly added: number;
  /** From now on they count as reached. */
  keep(): void;
};

const rooms = ['ssh', 'core', 'proxy-task'].map((room) =>
  fileURLToPath(new URL(`../../${room}/`, import.meta.url)),
);

/** Begins to count in this thread; a look costs a millisecond or two. */
export function startCoverage(): Coverage {
  const session = new Session();
  session.connect();
  post(session, 'Profiler.enable');
  post(session, 'Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const reached = new Map<string, Uint8Array>();
  let total = 0;
  return {
    get total() {
      return total;
    },
    look() {
      const counted = takeScripts(session).map((script) => countScript(script, reached.get(script.url)));
      return {
        added: counted.reduce((sum, { added }) => sum + added, 0),
        keep() {
          for (const { url, characters, added } of counted) {
            reached.set(url, characters);
            total += added;
          }
        },
      };
    },
    stop: () => session.disconnect(),
  };
}

/** Inner ranges refine the ranges around them, and come after them. */
function countScript(
  { url, functions }: Profiler.ScriptCoverage,
  known: Uint8Array | undefined,
): { readonly url: string; readonly characters: Uint8Array; readonly added: number } {
  const end = Math.max(...functions.flatMap(({ ranges }) => ranges.map(({ endOffset }) => endOffset)));
  const characters = new Uint8Array(Math.max(end, known?.length ?? 0));
  if (known !== undefined) characters.set(known);
  let added = 0;
  for (const { ranges } of functions) {
    const [whole] = ranges;
    if (whole === undefined) continue;
    const now = new Uint8Array(whole.endOffset - whole.startOffset);
    for (const { startOffset, endOffset, count } of ranges)
      now.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
    for (let index = 0; index < now.length; index += 1) {
      if (now[index] !== 1 || characters[whole.startOffset + index] === 1) continue;
      characters[whole.startOffset + index] = 1;
      added += 1;
    }
  }
  return { url, characters, added };
}

function takeScripts(session: Session): readonly Profiler.ScriptCoverage[] {
  let scripts: readonly Profiler.ScriptCoverage[] = [];
  session.post('Profiler.takePreciseCoverage', (error, taken) => {
    if (error !== null) throw error;
    scripts = taken.result.filter(({ url }) => url.startsWith('file:') && isOurs(fileURLToPath(url)));
  });
  return scripts;
}

function isOurs(path: string): boolean {
  return rooms.some((room) => path.startsWith(room));
}

function post(session: Session, method: string, parameters: object = {}): void {
  session.post(method, parameters, (error) => {
    if (error !== null) throw error;
  });
}
