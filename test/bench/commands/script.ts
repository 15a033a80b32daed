/** What somebody types, and what of it no hook of the shell sees. */
export type Script = {
  readonly shell: 'bash' | 'zsh' | 'fish' | 'dash' | 'ash';
  readonly steps: readonly Step[];
  /**
   * Truth by hand, where the shell has no hooks or another program reads the lines. `null` stands for what the hooks
   * say next, and `typed` for the same where the shell replaced what was typed.
   */
  readonly truth?: readonly (string | null | { readonly optional: string } | { readonly typed: string })[];
  readonly secrets?: readonly string[];
};

export type Step =
  | string
  | { readonly chunk: string }
  | { readonly expect: string }
  | { readonly pauseMs: number }
  | { readonly columns: number; readonly rows: number };

/** Longer than the shell takes to answer, so that nothing is typed ahead. */
export const settle: Step = pause(350);
export const password = `python3 -c 'import getpass; getpass.getpass("Passphrase for key: ")'`;

export function pause(pauseMs: number): Step {
  return { pauseMs };
}

/** A line, and the time until the shell has answered at any of the distances recorded. */
export function run(line: string): readonly Step[] {
  return [`${line}\r`, pause(260)];
}
