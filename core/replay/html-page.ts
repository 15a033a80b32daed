import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { pageScript } from './page-script.ts';
import { pageStyle } from './page-style.ts';
import type { PlayerSource } from './player-source.ts';
import { ReplayError } from './replay-error.ts';

/** asciinema-player 3.17.0 as it is published: its bundle for a script element, and its style sheet. */
export type PlayerFiles = { readonly script: string; readonly style: string };

export type PageText = {
  readonly title: string;
  /** Shown under the title, as text. */
  readonly facts: readonly (readonly [name: string, value: string])[];
};

export type PageOptions = {
  /** Second of the recording with which the player begins. */
  readonly startSeconds?: number | undefined;
  readonly maxBytes?: number;
};

const gzipAsync = promisify(gzip);
/** Browsers open larger files, and take long. */
const defaultMaxBytes = 256 * 1024 * 1024;

/**
 * One HTML file that plays a recording without a network: player, style and recording are in it, and its content security policy
 * allows the two scripts by their hashes and no request at all. What a recording says reaches the page as Base64 alone, and texts are
 * escaped. Give the parts out in order.
 * @throws ReplayError `too-large`, `player`
 */
export async function* htmlPage(
  source: PlayerSource,
  text: PageText,
  player: PlayerFiles,
  options: PageOptions = {},
): AsyncGenerator<string, void, undefined> {
  const maxBytes = options.maxBytes ?? defaultMaxBytes;
  const style = inline(`${player.style}\n${pageStyle}`, 'style');
  const script = inline(player.script, 'script');
  yield headText(text, script, style);
  let bytes = script.length + style.length;
  let number = 0;
  for await (const { payload } of source.segments) {
    const block = dataBlock(`segment-${number}`, await packed(payload));
    bytes += block.length;
    if (bytes > maxBytes)
      throw new ReplayError(
        'too-large',
        `the recording does not fit into a page of ${maxBytes} bytes; export it from later on with --at, or with --format cast`,
      );
    yield block;
    number += 1;
  }
  const index = source.index((segment) => `recording:segment-${segment}`);
  yield dataBlock('index', await packed(index));
  yield dataBlock('start', await packed(source.played(options.startSeconds ?? 0)));
  yield `<script>${script}</script>\n<script>${pageScript}</script>\n</body>\n</html>\n`;
}

function headText({ title, facts }: PageText, script: string, style: string): string {
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}' '${hashOf(pageScript)}' 'wasm-unsafe-eval'`,
    `style-src '${hashOf(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const rows = facts.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join('\n');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<dl>
${rows}
</dl>
<div id="player"></div>
<p id="problem" role="alert"></p>
`;
}

/** Text between tags and in attributes. Controls, and marks that reorder text, are shown as what they are. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(
      /[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    .replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The text of an element that HTML ends at its end tag, and that `<!--` puts into another state (HTML §13.2.5). */
function inline(text: string, element: 'script' | 'style'): string {
  if (/<!--|<\/?(?:script|style)/i.test(text))
    throw new ReplayError(
      'player',
      `the player's ${element} cannot stand in a page; install the version package.json names`,
    );
  return text.replace(/\r\n?/g, '\n');
}

function dataBlock(id: string, base64: string): string {
  return `<script type="application/octet-stream" id="${id}">${base64}</script>\n`;
}

async function packed(value: unknown): Promise<string> {
  return (await gzipAsync(JSON.stringify(value))).toString('base64');
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`;
}
