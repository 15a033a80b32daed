import type { OutputStream } from '#core/recording';
import { BinaryBrake } from './binary-brake.ts';
import { BulkBrake, type BulkLimits, type Released } from './bulk-brake.ts';

/** Output of one stream that is recorded, and before it what is left out. */
export type ReleasedOutput = Released & { readonly stream: OutputStream };

/** What keeps output out of the recording of a channel that nobody could read there. */
export type OutputBrakes = {
  /** Whether output is held that only time, input or the end brings out. */
  readonly holds: boolean;
  /** What is recorded now. `pressed`: more is on its way to the recording thread than should be. */
  output(atMs: number, data: Uint8Array, stream: OutputStream, pressed: boolean): readonly ReleasedOutput[];
  /** The client typed: what comes next answers that. */
  input(): readonly ReleasedOutput[];
  tick(atMs: number): readonly ReleasedOutput[];
  end(): readonly ReleasedOutput[];
};

/** Terminals show text, too fast to be read now and then; other channels carry whatever a program writes. */
export function createOutputBrakes(isTerminal: boolean, limits: BulkLimits): OutputBrakes {
  return isTerminal ? new TerminalBrakes(limits) : new PipeBrakes();
}

/** A terminal has one stream; its target may send another beside it, which is not drawn and recorded as it is. */
class TerminalBrakes implements OutputBrakes {
  readonly #bulk: BulkBrake;

  constructor(limits: BulkLimits) {
    this.#bulk = new BulkBrake(limits);
  }

  get holds(): boolean {
    return this.#bulk.holds;
  }

  output(atMs: number, data: Uint8Array, stream: OutputStream, pressed: boolean): readonly ReleasedOutput[] {
    if (stream === 'stderr') return [{ omitted: undefined, data, stream }];
    return of('stdout', this.#bulk.output(atMs, data, pressed));
  }

  input(): readonly ReleasedOutput[] {
    return of('stdout', this.#bulk.input());
  }

  tick(atMs: number): readonly ReleasedOutput[] {
    return of('stdout', this.#bulk.tick(atMs));
  }

  end(): readonly ReleasedOutput[] {
    return of('stdout', this.#bulk.end());
  }
}

class PipeBrakes implements OutputBrakes {
  readonly holds = false;
  readonly #binary: Readonly<Record<OutputStream, BinaryBrake>> = {
    stdout: new BinaryBrake(),
    stderr: new BinaryBrake(),
  };

  output(atMs: number, data: Uint8Array, stream: OutputStream): readonly ReleasedOutput[] {
    return of(stream, this.#binary[stream].output(atMs, data));
  }

  input(): readonly ReleasedOutput[] {
    return [];
  }

  tick(): readonly ReleasedOutput[] {
    return [];
  }

  end(): readonly ReleasedOutput[] {
    return [...of('stdout', this.#binary.stdout.end()), ...of('stderr', this.#binary.stderr.end())];
  }
}

const of = (stream: OutputStream, released: readonly Released[]): readonly ReleasedOutput[] =>
  released.map((output) => ({ ...output, stream }));
