import type { Terminal } from '@xterm/headless';

/**
 * Sequences that cost an emulator far more than they cost their sender, or that it keeps for as long as it lives. None of them
 * changes what a row says: titles, links, colours and clipboards are not drawn, and counts beyond the screen repeat what the
 * size of the screen has done already.
 */
export function guardSequences(terminal: Terminal): void {
  // REP, ICH, IL, DL, DCH, SU, SD, ECH, CHT, CBT: the emulator loops, or allocates, as often as it is told.
  for (const final of ['b', '@', 'L', 'M', 'P', 'S', 'T', 'X', 'I', 'Z'])
    terminal.parser.registerCsiHandler({ final }, (parameters) => {
      const [count] = parameters;
      return typeof count === 'number' && count > Math.max(terminal.cols, terminal.rows);
    });
  // Title stack (XTWINOPS).
  terminal.parser.registerCsiHandler({ final: 't' }, () => true);
  for (const code of ignoredCommands) terminal.parser.registerOscHandler(code, () => true);
}

/** Titles, palette, hyperlinks, colours, cursor colour, clipboard, notifications, images. */
const ignoredCommands = [0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 22, 52, 104, 110, 111, 112, 777, 1337];
