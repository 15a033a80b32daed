import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { Command } from 'commander';
import { exportEvidence } from '#core/event';
import { openedOriginal } from '#core/recording';
import { CliError } from './cli-error.ts';
import {
  type CommandContext,
  chosenData,
  type DataOption,
  withDataOption,
  withExamples,
} from './command-context.ts';
import { writeFile } from './export.ts';
import { recordByHand } from './own-journal.ts';
import { chooseRecording } from './recording-choice.ts';
import { systemErrorCode } from './system-error.ts';

type Options = DataOption & {
  readonly privateKey: string;
  readonly output: string;
  readonly channel?: string;
};

export function openOriginalCommand(context: CommandContext): Command {
  const command = new Command('open-original')
    .description('write what a session showed before secrets were hidden, with the key it was sealed to')
    .argument('<session>', 'the session id, or enough of its start to be the only one')
    .requiredOption('--private-key <file>', 'the private half of redaction.sealOriginalTo, PEM')
    .requiredOption('--output <file>', 'a file that does not exist yet: asciicast version 3')
    .option('--channel <name>', 'which of the recordings of a session that has several, such as c2')
    .action((id: string, options: Options) => open(id, options, context));
  return withExamples(withDataOption(command), [
    'sshtrail open-original s-01937c2e --private-key original.pem --output incident-41.cast',
  ]);
}

async function open(id: string, options: Options, context: CommandContext): Promise<void> {
  const privateKey = readPrivateKey(options.privateKey);
  const data = chosenData(options, context);
  const { store, key, manifest } = await chooseRecording(data, id, options.channel, context.signal);
  const { sessionId, recordingId, originals = [] } = manifest;
  if (originals.length === 0)
    throw new CliError(
      'not-found',
      `${recordingId} has no original: none is kept where redaction.sealOriginalTo is not set, or where nothing was shown`,
    );
  // On record before anything of it is given out.
  await recordByHand(
    data,
    context,
    exportEvidence(userInfo().username, context.now(), {
      sessionId,
      recordingId,
      key,
      format: 'original',
      fromSecond: 0,
    }),
  );
  await writeFile(options.output, openedOriginal(store, key, manifest, privateKey), context.signal);
  const missing = missingParts(originals.map(({ name }) => name));
  if (missing > 0)
    context.output.note(`${missing} parts are missing between others: they were lost with their gateway`);
  context.output.note(`wrote ${options.output}; it holds secrets, so keep it as one`);
}

/** Parts are numbered from 0. */
function missingParts(names: readonly string[]): number {
  const numbers = names.map((name) => Number(name.split('.')[1]));
  return Math.max(-1, ...numbers) + 1 - names.length;
}

function readPrivateKey(path: string): KeyObject {
  let text: Buffer;
  try {
    text = readFileSync(path);
  } catch (cause) {
    throw new CliError(
      'bad-input',
      `cannot read ${path} (${systemErrorCode(cause) ?? 'unknown'}); name the key with --private-key`,
      { cause },
    );
  }
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw new CliError('bad-input', `${path} is no private key in PEM without a passphrase`, { cause });
  }
}
