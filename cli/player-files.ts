import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { PlayerFiles } from '#core/replay';

/** The player's published bundle, as package.json pins it. */
export async function readPlayerFiles(): Promise<PlayerFiles> {
  const read = (name: string): Promise<string> =>
    readFile(fileURLToPath(import.meta.resolve(`asciinema-player/dist/bundle/${name}`)), 'utf8');
  return { script: await read('asciinema-player.min.js'), style: await read('asciinema-player.css') };
}
