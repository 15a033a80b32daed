import type { z } from 'zod';
import { closestName, printable } from '../wording/index.ts';
import { type Complaint, pathText } from './cross-checks.ts';
import type { ValuePath } from './yaml-source.ts';

/** As published for editors: it knows what belongs where, and says so. */
type JsonSchema = Readonly<Record<string, unknown>>;

/** What zod found, in words. Values are never repeated, nor names within a secret's mapping: a secret may stand where a name should. */
export function schemaComplaints(
  issues: readonly z.core.$ZodIssue[],
  data: unknown,
  published: JsonSchema,
): Complaint[] {
  const complaints = issues.flatMap((issue) => {
    const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    return complaintsOf(issue, path, data, published);
  });
  const misspelt = new Set(
    complaints.flatMap(({ instead }) => (instead === undefined ? [] : [pathText(instead)])),
  );
  return complaints.filter(({ path, message }) => message !== missing || !misspelt.has(pathText(path)));
}

/** `instead` is the path that a misspelt name was meant to be: it is not reported as missing, too. */
type SchemaComplaint = Complaint & { readonly instead?: ValuePath };

const missing = 'is missing';

function complaintsOf(
  issue: z.core.$ZodIssue,
  path: ValuePath,
  data: unknown,
  published: JsonSchema,
): SchemaComplaint[] {
  switch (issue.code) {
    case 'invalid_type':
      return [{ path, ...sayType(issue.expected, valueAt(data, path), schemaAt(published, path)) }];
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key, schemaAt(published, path)));
    case 'invalid_value':
      return [{ path, ...sayChoice(issue.values, valueAt(data, path), path) }];
    case 'too_small':
    case 'too_big':
      return [{ path, ...(saidBySchema(issue.message) ?? saySize(issue)) }];
    case 'invalid_union':
      return [{ path, message: 'is neither text nor number nor true or false', fix: 'write a single value' }];
    case 'invalid_key':
      return [{ path, at: 'key', ...(saidBySchema(issue.issues[0]?.message ?? '') ?? defaultWords) }];
    default:
      return [{ path, ...(saidBySchema(issue.message) ?? defaultWords) }];
  }
}

type Words = { readonly message: string; readonly fix: string };

const defaultWords: Words = { message: 'is not valid here', fix: 'compare it with docs/configuration.md' };

function saidBySchema(text: string): Words | undefined {
  const split = text.indexOf('; ');
  return split < 0 ? undefined : { message: text.slice(0, split), fix: text.slice(split + 2) };
}

function sayType(expected: string, value: unknown, schema: JsonSchema | undefined): Words {
  const kinds: Readonly<Record<string, string>> = {
    string: 'text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    array: 'a list',
    object: 'a mapping',
    record: 'a mapping',
  };
  const kind = kinds[expected] ?? expected;
  if (value === undefined) {
    const description = schema?.['description'];
    return {
      message: missing,
      fix: `add it as ${kind}${typeof description === 'string' ? `: ${description}` : ''}`,
    };
  }
  if (value === null) return { message: 'is empty', fix: `give it a value (${kind}) or remove the line` };
  const fix =
    expected === 'string' && typeof value !== 'object'
      ? 'put it in quotes'
      : expected === 'array' && typeof value === 'string'
        ? 'put it in brackets, or on a line of its own after "- "'
        : `write ${kind}`;
  return { message: `is not ${kind}`, fix };
}

function sayChoice(values: readonly unknown[], value: unknown, path: ValuePath): Words {
  const choices = values.map(String);
  const meant = typeof value === 'string' && !isSecret(path) ? closestName(value, choices) : undefined;
  return {
    message: `is not one of ${choices.join(', ')}`,
    fix: meant === undefined ? `write one of ${choices.join(', ')}` : `did you mean ${meant}?`,
  };
}

function saySize(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): Words {
  const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  const less = issue.code === 'too_small';
  switch (issue.origin) {
    case 'array':
      return {
        message: less ? 'has too few entries' : 'has too many entries',
        fix: `${less ? 'at least' : 'at most'} ${limit}`,
      };
    case 'string':
      return {
        message: less ? 'is too short' : 'is too long',
        fix: `${less ? 'at least' : 'at most'} ${limit} characters`,
      };
    default:
      return {
        message: less ? 'is too small' : 'is too large',
        fix: `write ${less ? 'at least' : 'at most'} ${limit}`,
      };
  }
}

function unknownKey(path: ValuePath, key: string, schema: JsonSchema | undefined): SchemaComplaint {
  if (isSecret(path))
    return {
      path,
      message: 'has an entry that is not known',
      fix: 'write secret or secretFile and its value',
    };
  const known = Object.keys(asRecord(schema?.['properties']) ?? {});
  const meant = closestName(key, known);
  return {
    path: [...path, key],
    at: 'key',
    message: 'is not known here',
    fix:
      meant === undefined ? `remove it; known are ${known.join(', ')}` : `did you mean ${printable(meant)}?`,
    ...(meant === undefined ? {} : { instead: [...path, meant] }),
  };
}

function isSecret(path: ValuePath): boolean {
  return path.includes('totp');
}

/** The JSON Schema that describes the value at a path. */
function schemaAt(published: JsonSchema, path: ValuePath): JsonSchema | undefined {
  let schema: JsonSchema | undefined = published;
  for (const step of path) {
    schema =
      typeof step === 'number'
        ? asRecord(schema?.['items'])
        : (asRecord(asRecord(schema?.['properties'])?.[step]) ??
          asRecord(Object.values(asRecord(schema?.['patternProperties']) ?? {})[0]));
  }
  return schema;
}

function valueAt(data: unknown, path: ValuePath): unknown {
  return path.reduce<unknown>((value, step) => {
    if (Array.isArray(value)) return value[Number(step)];
    const record = asRecord(value);
    return record !== undefined && Object.hasOwn(record, step) ? record[step] : undefined;
  }, data);
}

function asRecord(value: unknown): Record<string, unknown> | undefined {
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
