import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figure } from './figure.ts';

/** A group of figures that are measured together, on parts of their own. */
export type Family = {
  readonly name: string;
  readonly about: string;
  /** Left out unless `--only` names it: it is long, or wants a machine set up for it. */
  readonly onRequest?: boolean;
  measure(workbench: Workbench): Promise<readonly Figure[]>;
};

/** What a family works with. Whatever it starts, it hands to `defer`, and is stopped in reverse order. */
export type Workbench = {
  /** Gone at the end. */
  readonly folder: string;
  readonly sizeBytes: number;
  readonly rounds: number;
  /** Flags of Node for gateway processes. */
  readonly nodeFlags: readonly string[];
  readonly progress: (line: string) => void;
  defer(stop: () => Promise<void> | void): void;
};

export type OpenWorkbench = Workbench & { close(): Promise<void> };

export function openWorkbench(
  options: Pick<Workbench, 'sizeBytes' | 'rounds' | 'nodeFlags' | 'progress'>,
): OpenWorkbench {
  const folder = mkdtempSync(join(tmpdir(), 'sshtrail-bench-'));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  return {
    ...options,
    folder,
    defer: (stop) => stack.defer(stop),
    close: () => stack.disposeAsync(),
  };
}
