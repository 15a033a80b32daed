import { z } from 'zod';
import type { AuditRecord } from '#core/contract';

/** What the supervisor tells a worker. */
export const supervisorOrder = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('notice'), text: z.string() }),
  z.object({ kind: z.literal('stop-accepting') }),
  z.object({ kind: z.literal('close'), reason: z.string() }),
  /** Those in force, with what SHA-256 they have: the first thing a worker is told. */
  z.object({
    kind: z.literal('policies'),
    version: z.string(),
    sources: z.array(z.object({ file: z.string(), text: z.string() })),
  }),
]);
export type SupervisorOrder = z.infer<typeof supervisorOrder>;

/** What a worker tells its supervisor. `alive` comes every second, and is how a worker that hangs is noticed. */
export const workerMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready'), host: z.string(), port: z.int() }),
  z.object({ kind: z.literal('alive'), sessions: z.int() }),
  z.object({ kind: z.literal('report'), line: z.string() }),
  // Made by our own journal, and looked at whole by nobody but our own runbooks.
  z.object({
    kind: z.literal('record'),
    record: z.custom<AuditRecord>((value) => typeof value === 'object'),
  }),
]);
export type WorkerMessage = z.infer<typeof workerMessage>;
