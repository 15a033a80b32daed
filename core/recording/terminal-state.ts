/** The screen that a recording's output draws. What it is given is whole UTF-8: no character is split between two writes. */
export interface TerminalState {
  write(output: Uint8Array): void;
  resize(columns: number, rows: number): void;
  /**
   * Output that draws this screen on an empty terminal of the same size. Undefined where it is not known, as where what was written
   * has not been worked through: a segment may be without.
   */
  snapshot(): string | undefined;
}
