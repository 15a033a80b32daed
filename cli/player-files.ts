import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { PlayerFiles } from '#core/replay';

/** The player's published bundle, as package.json pins it. */
export async function readPlayerFiles(): Promise<PlayerFiles> {
  const script = import.meta.resolve('asciinema-player/dist/bundle/asciinema-player.min.js');
  const style = import.meta.resolve('asciinema-player/dist/bundle/asciinema-player.css');
  return {
    script: await readFile(fileURLToPath(script), 'utf8'),
    style: await readFile(fileURLToPath(style), 'utf8'),
  };
}
