import cluster, { type Worker } from 'node:cluster';
import { createServer } from 'node:net';
import type { AuditRecord } from '#core/contract';
import { policySources } from '#core/policy';
import type { Gateway } from '../gateway.ts';
import type { PolicyKeeper } from '../policy-keeper.ts';
import { type SupervisorOrder, workerMessage } from './worker-message.ts';
import { WorkersError } from './workers-error.ts';

export type SupervisorOptions = {
  /** How many processes share the port. */
  readonly count: number;
  /** The module that a worker runs. */
  readonly module: string;
  /** Options of the runtime for workers. */
  readonly execArgv?: readonly string[];
  /** What worker `number` (from 1) finds in its environment; `port` is the one to listen on. */
  environment(number: number, port: number): Readonly<Record<string, string>>;
  /** Workers have those in force from here, and read none themselves. */
  readonly policies: Pick<PolicyKeeper, 'current' | 'onChange' | 'problem'>;
  readonly host: string;
  /** 0 takes any that is free now. */
  readonly port: number;
  /** A worker is gone: closes with evidence what it left. Its replacement starts when this has settled. */
  closeLost(number: number, how: string): Promise<void>;
  /** Records of the events the workers were told to pass on. */
  onRecord(record: AuditRecord): void;
  readonly report: (line: string) => void;
  /** How long workers that were told to close may take. */
  readonly closeWithinMs?: number;
  /** A worker that says nothing for so long hangs, and is killed. */
  readonly silentMs?: number;
};

/** A worker's place; its process changes. */
type Place = {
  readonly number: number;
  worker: Worker | undefined;
  ready: boolean;
  sessions: number;
  heardAtMs: number;
  startedAtMs: number;
  /** Deaths one after another without a minute in between. */
  quickDeaths: number;
  /** From the death of one process to the start of the next. */
  mending: Promise<void> | undefined;
  retry: NodeJS.Timeout | undefined;
};

const startWithinMs = 60_000;
const steadyMs = 60_000;
const longestPauseMs = 30_000;

/**
 * Runs gateways in processes that share one port, and replaces each that dies. A connection belongs to one of them for its life. Settles
 * when all listen.
 *
 * @throws WorkersError `worker-failed` where one dies before it has listened
 */
export async function superviseWorkers(options: SupervisorOptions): Promise<Gateway> {
  const supervisor = new Supervisor(options);
  const address = await supervisor.start();
  return {
    address,
    get sessionCount() {
      return supervisor.sessionCount;
    },
    notice: (text) => supervisor.tell({ kind: 'notice', text }),
    stopAccepting: () => supervisor.stopAccepting(),
    close: (reason) => supervisor.close(reason),
  };
}

class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #places: readonly Place[];
  readonly #watch: NodeJS.Timeout;
  /** What workers listen on. */
  #port: number;
  #closeReason = '';
  #accepting = true;
  #closing = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#port = options.port;
    this.#places = Array.from({ length: options.count }, (_, index) => ({
      number: index + 1,
      worker: undefined,
      ready: false,
      sessions: 0,
      heardAtMs: 0,
      startedAtMs: 0,
      quickDeaths: 0,
      mending: undefined,
      retry: undefined,
    }));
    this.#watch = setInterval(() => this.#killSilent(), 1_000);
    options.policies.onChange(() => {
      for (const { worker } of this.#places) if (worker !== undefined) this.#handPolicies(worker);
    });
  }

  get sessionCount(): number {
    return this.#places.reduce((sum, { sessions }) => sum + sessions, 0);
  }

  async start(): Promise<Gateway['address']> {
    // Workers accept by themselves: what one that dies or hangs has not accepted is taken by another.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({
      exec: this.#options.module,
      args: [],
      execArgv: [...(this.#options.execArgv ?? [])],
      serialization: 'json',
    });
    try {
      // By its number, so that it stays the same also where all of them die at once.
      if (this.#port === 0) this.#port = await freePort(this.#options.host);
      const [address] = await Promise.all(this.#places.map((place) => this.#startFirst(place)));
      if (address === undefined)
        throw new WorkersError('no worker was asked for; set gateway.workers to 1 or more');
      return address;
    } catch (error) {
      await this.close('a worker could not be started');
      throw error;
    }
  }

  tell(order: SupervisorOrder): void {
    for (const { worker, ready } of this.#places) if (worker !== undefined && ready) send(worker, order);
  }

  stopAccepting(): void {
    this.#accepting = false;
    this.tell({ kind: 'stop-accepting' });
  }

  async close(reason: string): Promise<void> {
    this.#closing = true;
    this.#closeReason = reason;
    clearInterval(this.#watch);
    for (const place of this.#places) clearTimeout(place.retry);
    await Promise.all(this.#places.map((place) => this.#closePlace(place)));
  }

  async #closePlace(place: Place): Promise<void> {
    await place.mending;
    const { worker } = place;
    if (worker === undefined) return;
    const gone = exitOf(worker);
    // One that is just starting hears it when it can.
    if (place.ready) send(worker, { kind: 'close', reason: this.#closeReason });
    const force = setTimeout(() => worker.process.kill('SIGKILL'), this.#options.closeWithinMs ?? 30_000);
    await gone;
    clearTimeout(force);
    // What a worker that was killed here left is closed as that of any other.
    await place.mending;
  }

  #startFirst(place: Place): Promise<Gateway['address']> {
    return new Promise((resolve, reject) => {
      this.#fork(place, {
        ready: resolve,
        died: (how) =>
          reject(
            new WorkersError(
              `worker ${place.number} ended before it listened (${how}); its own lines above say why`,
            ),
          ),
      });
    });
  }

  #fork(
    place: Place,
    first?: { readonly ready: (address: Gateway['address']) => void; readonly died: (how: string) => void },
  ): void {
    const worker = cluster.fork(this.#options.environment(place.number, this.#port));
    this.#handPolicies(worker);
    place.worker = worker;
    place.startedAtMs = performance.now();
    place.heardAtMs = place.startedAtMs + startWithinMs;
    place.sessions = 0;
    place.ready = false;
    worker.on('message', (raw: unknown) => {
      const message = workerMessage.safeParse(raw);
      if (!message.success) return;
      place.heardAtMs = Math.max(place.heardAtMs, performance.now());
      switch (message.data.kind) {
        case 'ready':
          place.ready = true;
          place.heardAtMs = performance.now();
          if (!this.#accepting) send(worker, { kind: 'stop-accepting' });
          if (this.#closing) send(worker, { kind: 'close', reason: this.#closeReason });
          first?.ready({ host: message.data.host, port: message.data.port });
          return;
        case 'alive':
          place.sessions = message.data.sessions;
          return;
        case 'report':
          return this.#options.report(`worker ${place.number}: ${message.data.line}`);
        case 'record':
          return this.#options.onRecord(message.data.record);
      }
    });
    // A channel that breaks shows as the exit of the process.
    worker.on('error', () => undefined);
    void exitOf(worker).then((how) => {
      place.worker = undefined;
      place.sessions = 0;
      if (!place.ready) first?.died(how);
      if (place.ready || first === undefined) place.mending = this.#mend(place, how);
    });
  }

  /** What it is sent before it listens waits for it. */
  #handPolicies(worker: Worker): void {
    const policy = this.#options.policies.current();
    send(worker, { kind: 'policies', version: policy.version, sources: [...policySources(policy)] });
  }

  async #mend(place: Place, how: string): Promise<void> {
    const { number } = place;
    const orderly = this.#closing && how === 'exit code 0';
    if (!orderly) {
      this.#options.report(`worker ${number} has died (${how}); what it left is being closed`);
      try {
        await this.#options.closeLost(number, how);
      } catch (error) {
        const reason = error instanceof Error ? error.message : 'unknown';
        this.#options.report(
          `what worker ${number} left could not be closed (${reason}); its replacement tries again`,
        );
      }
    }
    place.mending = undefined;
    if (this.#closing) return;
    place.quickDeaths = performance.now() - place.startedAtMs > steadyMs ? 0 : place.quickDeaths + 1;
    // The first death is mended at once; one that dies again and again does not take the processor.
    const pauseMs = place.quickDeaths <= 1 ? 0 : Math.min(longestPauseMs, 250 * 2 ** place.quickDeaths);
    place.retry = setTimeout(() => this.#replace(place), pauseMs);
  }

  #replace(place: Place): void {
    const problem = this.#options.policies.problem();
    if (problem !== undefined)
      this.#options.report(
        `worker ${place.number} starts again with the policies in force, since what stands there now cannot be used:\n${problem}`,
      );
    this.#fork(place);
  }

  #killSilent(): void {
    const silentMs = this.#options.silentMs ?? 30_000;
    for (const { number, worker, heardAtMs } of this.#places) {
      if (worker === undefined || performance.now() - heardAtMs < silentMs) continue;
      this.#options.report(
        `worker ${number} has not answered for ${Math.round(silentMs / 1000)} s, so it is killed`,
      );
      worker.process.kill('SIGKILL');
    }
  }
}

/** How its process ended, once it has. */
function exitOf(worker: Worker): Promise<string> {
  return new Promise((resolve) => {
    if (worker.isDead()) resolve('it was dead already');
    else
      worker.once('exit', (code: number | null, signal: string | null) =>
        resolve(signal ?? `exit code ${code}`),
      );
  });
}

function send(worker: Worker, order: SupervisorOrder): void {
  // One whose channel is closing is ending, which is seen.
  if (worker.isConnected()) worker.send(order, () => undefined);
}

async function freePort(host: string): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, host, resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
