import type { OpenedRecording } from '#core/recording';
import { type RenderedText, renderedText } from './rendered-text.ts';

/** What the screen said, line by line, as a person would read it: the screens of full-screen programs between rules with their time. */
export async function* exportText(recording: OpenedRecording): AsyncGenerator<string, void, undefined> {
  const texts = renderedText(recording);
  for (;;) {
    const next = await texts.next();
    if (next.done === true) {
      if (next.value === 'cut') yield '--- the rest is left out: too many lines ---\n';
      return;
    }
    yield lineText(next.value);
  }
}

function lineText(text: RenderedText): string {
  if (text.kind === 'line') return `${plain(text.text)}\n`;
  const lines = text.lines.map((line) => `| ${plain(line)}\n`);
  return `--- screen at ${clockText(text.seconds)} ---\n${lines.join('')}--- end of screen ---\n`;
}

/** `h:mm:ss`. */
function clockText(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/** Cells hold no controls; these order text as it was not shown, or end a line to some readers. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}
