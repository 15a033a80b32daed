import { z } from 'zod';
import { eventNames } from '#core/contract';
import { availableActions, containingActions, lockingActions } from './action-catalogue.ts';
import { durationPattern } from './duration.ts';

const duration = z.string().regex(durationPattern, 'a duration is a number and s, m, h or d, like 30m');
const columnName = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'a column name has a-z, 0-9 and _ and begins with a letter');
const line = z.string().min(1).max(500);
const action = z.enum(availableActions);
const eventName = z.enum(eventNames);

const input = z
  .strictObject({
    type: z.enum(['duration', 'integer', 'string', 'boolean', 'bytes']),
    default: z.union([z.string(), z.number(), z.boolean()]),
    help: line.optional(),
  })
  .describe('A value the query may use as ${inputs.name}; bound as a literal of its type, never pasted.');

const trigger = z
  .strictObject({
    event: z.union([eventName, z.array(eventName).min(1)]).optional(),
    delay: duration
      .optional()
      .describe(
        'How long after the event the query runs; at least as long as the query waits for late events.',
      ),
    schedule: z
      .string()
      .regex(/^(rate|cron)\(/)
      .optional()
      .describe('rate(5 minutes) or cron(0 6 * * ? *), UTC.'),
    lookback: duration.describe('How far back ${events} and ${sessions} reach, by ingest time.'),
    baseline: duration.optional().describe('How far back ${baseline} reaches: events to compare with.'),
  })
  .describe('When the runbook runs; an event, a schedule or both.');

/** If the step is so, it needs these. */
function stepRule(condition: object, needs: readonly string[]): object {
  return Object.fromEntries(new Map<string, object>().set('if', condition).set('then', { required: needs }));
}

const stepRules = [
  stepRule({ properties: { mode: { const: 'approve' } }, required: ['mode'] }, ['approvers']),
  stepRule({ properties: { do: { enum: containingActions }, mode: { const: 'auto' } }, required: ['do'] }, [
    'limit',
  ]),
  stepRule({ properties: { do: { const: 'session.revoke' }, mode: { const: 'auto' } }, required: ['do'] }, [
    'verify',
  ]),
  stepRule({ properties: { do: { const: 'source.block' }, mode: { const: 'auto' } }, required: ['do'] }, [
    'for',
  ]),
  stepRule(
    { properties: { do: { enum: ['session.revoke', ...Object.keys(lockingActions)] } }, required: ['do'] },
    ['message'],
  ),
];

const step = z
  .strictObject({
    do: action,
    when: z.string().max(500).optional().describe("Columns, e.g. still_open and target_user = 'root'."),
    mode: z.enum(['auto', 'approve', 'manual']).default('auto'),
    verify: z.enum(['session.isOpen']).optional().describe('Live state re-read just before acting.'),
    limit: z
      .strictObject({
        perRun: z.int().min(1).max(1_000).optional(),
        perHour: z.int().min(1).max(10_000).optional(),
        onExceed: z.enum(['approve', 'stop']).default('approve'),
      })
      .optional(),
    approvers: z
      .strictObject({
        group: line,
        min: z.literal(1).default(1).describe('How many people; one in this version.'),
        notSelf: z.boolean().default(true),
        expires: duration.default('4h'),
      })
      .optional(),
    message: z.string().max(500).optional().describe('Shown to the engineer; may use ${column}.'),
    for: duration.optional().describe('Of a lock: how long; without it, until somebody lifts it.'),
    undo: z.string().max(200).optional(),
    why: line.optional(),
  })
  // What parseRunbook says in words, for editors.
  .meta({ allOf: stepRules });

const expectation = z.strictObject({
  findings: z.union([
    z.int().min(0),
    z.array(z.record(columnName, z.union([z.string(), z.number(), z.boolean(), z.null()]))),
  ]),
  actions: z.array(action).optional().describe('Exactly the actions taken, in any order.'),
  notActions: z.array(action).optional(),
  pendingApproval: z.int().min(0).optional(),
});

const given = z
  .looseObject({
    at: z.string().regex(/^-[0-9]{1,6}(s|m|h|d)$/, 'a time before now, like -20m'),
    repeat: z.int().min(1).max(1_000).optional(),
    every: duration.optional().describe('Time between repetitions.'),
  })
  .describe('at, repeat, every, and one event name with its fields; ${n} is the number of the repetition.');

const test = z.strictObject({
  name: line,
  given: z.array(given).max(200),
  inputs: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  expect: expectation,
});

/** A runbook as it is written in its file. */
export const runbookFile = z.strictObject({
  runbook: z.literal(1),
  id: z.string().regex(/^SSH-[0-9]{3}$/, 'an id is SSH- and three digits'),
  title: z.string().min(1).max(90),
  status: z.enum(['draft', 'canary', 'stable', 'deprecated']),
  severity: z.enum(['info', 'low', 'medium', 'high', 'critical']),
  owner: z.string().regex(/^(team|role):.+/, 'an owner is team:... or role:..., never a person'),
  attack: z
    .strictObject({
      version: z.string(),
      techniques: z.array(z.string().regex(/^T[0-9]{4}(\.[0-9]{3})?$/)),
    })
    .optional(),
  controls: z.record(z.string(), z.array(z.string())).optional(),
  why: z.string().min(40).max(2_000),
  inputs: z.record(columnName, input).optional(),
  trigger,
  query: z.strictObject({
    sql: z.string().min(1).max(20_000).describe('One SELECT in Trino SQL over ${events}, ${sessions}, ...'),
  }),
  finding: z.strictObject({
    each: columnName.describe('One finding for each value; the key that keeps overlap from acting twice.'),
    threshold: z.strictObject({ count: z.int().min(1).max(1_000) }).optional(),
    suppress: duration.default('24h').describe('How long the same key is not found again.'),
    title: z.string().min(1).max(200),
    columns: z.array(columnName).min(1).max(50),
  }),
  respond: z.array(step).min(1).max(20),
  escalate: z
    .array(
      z.strictObject({
        when: z.string().max(500).optional(),
        else: z.literal(true).optional(),
        to: line,
        as: z.enum(['P1', 'P2', 'P3', 'P4']),
        within: duration.optional(),
      }),
    )
    .min(1)
    .max(20),
  falsePositives: z.array(line).optional(),
  tests: z.array(test).min(2).max(100),
  docs: z.string().max(20_000),
});

export type RunbookFile = z.output<typeof runbookFile>;

/** The file's format for editors: JSON Schema draft-07, since their YAML support ends there. */
export function runbookJsonSchema(): object {
  const schema = z.toJSONSchema(runbookFile, { target: 'draft-7', io: 'input' });
  return { ...schema, title: 'sshtrail runbook' };
}
