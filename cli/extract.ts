import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseExchangeLine, readExchange } from '#core/terminal';
import { CliError } from './cli-error.ts';
import type { CommandContext } from './command-context.ts';
import type { ExtractOptions } from './commands/extract.ts';
import { jsonLine } from './output.ts';

/** More than anybody types into one terminal. */
const maxCommands = 1_000_000;

export async function extract(path: string, options: ExtractOptions, context: CommandContext): Promise<void> {
  const reading = readExchange({ maxCommands });
  let number = 0;
  for await (const line of linesOf(path)) {
    number += 1;
    if (line.trim() === '') continue;
    const event = parseExchangeLine(line);
    if (event === undefined)
      throw new CliError(
        'bad-input',
        `line ${number} of ${path} is no event of a terminal recording; "sshtrail extract --help" shows the form`,
      );
    reading.event(event);
  }
  const { commands, hidden } = reading.finish();
  for (const { atMs, text, kind, confidence, prompt } of commands)
    context.output.line(jsonLine({ t: atMs / 1000, text, kind, confidence, prompt }));
  if (options.hidden === true)
    for (const { atMs, prompt } of hidden)
      context.output.line(jsonLine({ t: atMs / 1000, text: '', kind: 'hidden', prompt }));
}

async function* linesOf(path: string): AsyncGenerator<string, void, undefined> {
  const file = createReadStream(path);
  try {
    yield* createInterface({ input: file, crlfDelay: Infinity });
  } catch (cause) {
    throw new CliError('bad-input', `cannot read ${path}; check the name and that it may be read`, { cause });
  } finally {
    file.destroy();
  }
}
