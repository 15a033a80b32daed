import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { exportEvidence } from '#core/event';
import { openedOriginal } from '#core/recording';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData } from './command-context.ts';
import type { OpenOriginalOptions } from './commands/open-original.ts';
import { writeFile } from './export.ts';
import { recordByHand } from './own-journal.ts';
import { chooseRecording } from './recording-choice.ts';
import { systemErrorCode } from './system-error.ts';

export async function openOriginal(
  id: string,
  options: OpenOriginalOptions,
  context: CommandContext,
): Promise<void> {
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
