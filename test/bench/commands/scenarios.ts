import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { type ExchangeEvent, parseExchangeLine, readExchange } from '#core/terminal';
import { type Score, score, type Truth } from './score.ts';

export type Scenario = {
  readonly id: string;
  readonly events: readonly ExchangeEvent[];
  readonly truth: Truth;
};

const truthSchema = z.object({
  commands: z.array(
    z.object({
      text: z.string(),
      optional: z.boolean().default(false),
      alt: z.array(z.string()).default([]),
    }),
  ),
  secrets: z.array(z.string()),
});

/** A folder with `recordings/<id>.jsonl[.gz]` and `truth/<id>.json`. */
export function loadScenarios(folder: string, only = /./): readonly Scenario[] {
  return readdirSync(join(folder, 'truth'))
    .map((name) => name.replace(/\.json$/, ''))
    .filter((id) => only.test(id))
    .sort()
    .map((id) => ({
      id,
      events: recordingText(folder, id)
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          const event = parseExchangeLine(line);
          if (event === undefined) throw new Error(`${id} has a line that is no event: ${line.slice(0, 80)}`);
          return event;
        }),
      truth: truthSchema.parse(JSON.parse(readFileSync(join(folder, 'truth', `${id}.json`), 'utf8'))),
    }));
}

/** Plays a scenario to a terminal and scores everything that it told. */
export function scoreScenario({ events, truth }: Scenario): Score {
  const reading = readExchange({ maxCommands: 10_000 });
  for (const event of events) reading.event(event);
  const { commands, hidden } = reading.finish();
  const told = commands.map(({ text }) => text);
  return score(truth, told, JSON.stringify([commands, hidden]));
}

function recordingText(folder: string, id: string): string {
  const path = join(folder, 'recordings', `${id}.jsonl`);
  return existsSync(path) ? readFileSync(path, 'utf8') : gunzipSync(readFileSync(`${path}.gz`)).toString();
}
