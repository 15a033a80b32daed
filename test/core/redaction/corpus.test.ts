import { describe, expect, it } from 'vitest';
import {
  compileRules,
  createRecordingRedactor,
  createValueMemory,
  redactText,
} from '../../../core/redaction/index.ts';
import { harmlessLines } from './harmless-lines.ts';
import { plantedSecrets } from './planted-secrets.ts';

const rules = compileRules({ defaults: true, rules: [] });
const esc = '\u001b';
/** What draws no character of a line: colours, titles, moves, and readline's blank at the edge. */
const drawing = new RegExp(`${esc}\\[[0-9;]*m|${esc}\\][^\\u0007]*\\u0007|[\\b\\r\\n]| (?=\\r)`, 'g');

function channel() {
  return createRecordingRedactor({ rules, memory: createValueMemory(Buffer.alloc(32, 7)), columns: 80 });
}

/** Each secret in a channel of its own, so that none is found only because it was before. */
function shown(events: readonly Buffer[]): string {
  const redactor = channel();
  const given = events.flatMap((data, at) => redactor.output(at, 'stdout', data).concat(redactor.tick(at)));
  return Buffer.concat(
    [...given, ...redactor.flush()].map((one) => (one.kind === 'output' ? one.data : Buffer.alloc(0))),
  ).toString();
}

describe('the corpus', () => {
  it.each(['first', 'second', 'third'])('shows none of 200 planted secrets (%s set)', (seed) => {
    const leaks = plantedSecrets(200, seed).flatMap(({ kind, way, hidden, events }) => {
      const text = shown(events);
      const drawn = text.replace(drawing, '');
      return hidden.some((secret) => text.includes(secret) || drawn.includes(secret))
        ? [`${kind} ${way}`]
        : [];
    });

    expect(leaks).toEqual([]);
  });

  it('shows no planted secret as a text either', () => {
    const leaks = plantedSecrets(200, 'text').flatMap(({ kind, way, hidden, events }) => {
      if (way !== 'printed' && way !== 'split') return [];
      const { text } = redactText(Buffer.concat(events).toString().replaceAll('\r\n', '\n'), rules);
      return hidden.some((secret) => text.includes(secret)) ? [`${kind} ${text}`] : [];
    });

    expect(leaks).toEqual([]);
  });

  it('leaves 99 of 100 harmless lines as they are', () => {
    const lines = harmlessLines(2000, 'harmless');
    const changed = lines.filter((line) => redactText(line, rules).text !== line);

    expect(new Set(changed.map((line) => line.slice(0, 60)))).toEqual(new Set());
    expect(changed.length).toBeLessThan(20);
  });

  it('changes no more of harmless lines on a terminal', () => {
    const lines = harmlessLines(2000, 'terminal');
    const redactor = channel();
    const given = lines.flatMap((line, at) => [
      ...redactor.output(at, 'stdout', Buffer.from(`\u001b[${at % 8}m${line}\u001b[0m\r\n`)),
    ]);
    const text = Buffer.concat(
      [...given, ...redactor.flush()].map((one) => (one.kind === 'output' ? one.data : Buffer.alloc(0))),
    ).toString();

    const shownLines = text.split('\r\n');
    expect(
      lines.filter((line, at) => shownLines[at] !== `\u001b[${at % 8}m${line}\u001b[0m`).length,
    ).toBeLessThan(20);
  });
});
