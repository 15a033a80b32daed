import type { ActRequest } from '#core/contract';
import { FunctionError } from '../shared/index.ts';

/** An ActRequest that is what it says. */
export type ParsedActRequest = {
  readonly runbookId: string;
  readonly findingKey: string;
  readonly dryRun: boolean;
  readonly automationExecutionId: string;
};

/** The whole of each field; what a finding's key may be is said where findings are planned. */
const fields: Readonly<Record<keyof ActRequest, RegExp>> = {
  runbookId: /^SSH-[0-9]{3}$/,
  findingKey: /^[A-Za-z0-9][A-Za-z0-9._:@/+=,-]{0,199}$/,
  dryRun: /^(true|false)$/,
  automationExecutionId: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
};

/**
 * Whoever may start the document chooses these texts, and this function has rights that they may not have: so nothing passes
 * that could mean more than one finding of one runbook.
 * @throws FunctionError `bad-request`
 */
export function parseActRequest(input: unknown): ParsedActRequest {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw refused('it is no object of the four parameters');
  const given: Readonly<Record<string, unknown>> = { ...input };
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(fields, name));
  if (unknown.length > 0)
    throw refused('it has other fields than runbookId, findingKey, dryRun, automationExecutionId');
  const field = (name: keyof ActRequest): string => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (typeof value !== 'string' || !fields[name].test(value))
      throw refused(`its ${name} is missing or not of the form ${fields[name].source}`);
    return value;
  };
  return {
    runbookId: field('runbookId'),
    findingKey: field('findingKey'),
    dryRun: field('dryRun') === 'true',
    automationExecutionId: field('automationExecutionId'),
  };
}

function refused(why: string): FunctionError {
  return new FunctionError(
    'bad-request',
    `the request cannot be taken: ${why}; start the runbook's Automation document, which asks rightly`,
  );
}
