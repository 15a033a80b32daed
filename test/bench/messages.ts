import { z } from 'zod';

/** What the benchmark tells its child processes. */
const orderSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('stop') }),
  z.object({ kind: z.literal('count-sessions') }),
  /** Shells to open and keep, so many of them on their way at once. */
  z.object({
    kind: z.literal('open'),
    /** Taken in turn. */
    ports: z.array(z.number()).min(1),
    user: z.string(),
    count: z.number(),
    inFlight: z.number(),
  }),
  z.object({ kind: z.literal('close') }),
]);
export type Order = z.infer<typeof orderSchema>;

/** What they answer. */
const answerSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready'), port: z.number() }),
  z.object({ kind: z.literal('sessions'), count: z.number() }),
  z.object({ kind: z.literal('opened'), seconds: z.number() }),
  z.object({ kind: z.literal('closed') }),
  /** A connection ended that nobody had asked to close. */
  z.object({ kind: z.literal('ended'), atMs: z.number(), description: z.string() }),
  z.object({ kind: z.literal('report'), line: z.string() }),
  z.object({ kind: z.literal('failed'), reason: z.string() }),
]);
export type Answer = z.infer<typeof answerSchema>;
export type AnswerOf<Kind extends Answer['kind']> = Extract<Answer, { readonly kind: Kind }>;

export const parseOrder = (message: unknown): Order => orderSchema.parse(message);
export const parseAnswer = (message: unknown): Answer => answerSchema.parse(message);

/** Milliseconds since the epoch with fractions: the processes of one machine share it. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}
