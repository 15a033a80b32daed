import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTerminalState } from '#core/replay';
import { createDormantScreen } from '../../../../proxy-task/recording/thread/dormant-screen.ts';

const size = { columns: 40, rows: 6 };

test('a screen that sleeps and wakes shows what one that never slept shows', () => {
  const step = fc.oneof(
    fc.string({ maxLength: 60, unit: 'binary-ascii' }).map((text) => ({ text })),
    fc
      .constantFrom('\u001b[2J', '\u001b[31mred', '\r\n', '\u001b[?1049h', '\u001b[?1049l', '\u001b[3;5H')
      .map((text) => ({ text })),
    fc.record({ columns: fc.integer({ min: 10, max: 60 }), rows: fc.integer({ min: 2, max: 10 }) }),
    fc.constant('sleep' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const sleeper = createDormantScreen(size, (columns, rows) => createTerminalState(columns, rows));
      const other = createTerminalState(size.columns, size.rows);
      let atMs = 0;
      for (const each of steps) {
        atMs += 1000;
        if (each === 'sleep') {
          sleeper.snapshot();
          sleeper.tick(atMs);
          atMs += 120_000;
          sleeper.tick(atMs);
        } else if ('text' in each) {
          // A sequence that is cut here would be the builder's to finish.
          const bytes = Buffer.from(`${each.text}\u001b[m`);
          sleeper.write(bytes);
          other.write(bytes);
        } else {
          sleeper.resize(each.columns, each.rows);
          other.resize(each.columns, each.rows);
        }
      }

      expect(sleeper.snapshot()).toBe(other.snapshot());
      sleeper.close();
      other.dispose();
    }),
    { numRuns: 60 },
  );
});

test('little output wakes no emulator, and much does', () => {
  let woken = 0;
  const screen = createDormantScreen(size, (columns, rows) => {
    woken += 1;
    return createTerminalState(columns, rows);
  });

  screen.write(Buffer.from('$ '));
  screen.tick(1000);
  expect(woken).toBe(0);

  for (let line = 0; line < 1000; line += 1) screen.write(Buffer.from(`line ${line}\r\n`));
  expect(woken).toBe(1);
  screen.close();
});
