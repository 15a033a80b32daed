import { parse as parseYaml } from 'yaml';
import { z } from 'zod';

const text = z.string();
const strings = z.array(text);

const parameter = z.strictObject({
  type: z
    .enum(['String', 'StringList', 'Boolean', 'Integer', 'MapList', 'StringMap'])
    .or(text.regex(/^(List<)?AWS::/)),
  description: text.optional(),
  default: z.union([text, strings, z.boolean(), z.number()]).optional(),
  allowedPattern: text.optional(),
  allowedValues: strings.optional(),
  minChars: z.number().optional(),
  maxChars: z.number().optional(),
});

const stepOf = <Action extends string, Inputs extends z.ZodType>(action: Action, inputs: Inputs) =>
  z.strictObject({
    name: text.regex(/^[A-Za-z0-9_]{1,128}$/),
    action: z.literal(action),
    description: text.optional(),
    inputs,
    nextStep: text.optional(),
    isEnd: z.boolean().default(false),
    isCritical: z.boolean().optional(),
    onFailure: text.regex(/^(Abort|Continue|step:\w+)$/).default('Abort'),
    maxAttempts: z.number().int().min(1).default(1),
    timeoutSeconds: z.number().int().min(1).optional(),
    outputs: z
      .array(z.strictObject({ Name: text, Selector: text.regex(/^\$(\.\w+)+$/), Type: text }))
      .default([]),
  });

const comparison = z.strictObject({
  Variable: text,
  StringEquals: text.optional(),
  EqualsIgnoreCase: text.optional(),
  StartsWith: text.optional(),
  EndsWith: text.optional(),
  Contains: text.optional(),
  BooleanEquals: z.boolean().optional(),
});
const step = z.discriminatedUnion('action', [
  stepOf(
    'aws:branch',
    z.strictObject({
      Choices: z
        .array(
          z.strictObject({
            NextStep: text,
            Not: comparison.optional(),
            And: z.array(comparison).optional(),
            Or: z.array(comparison).optional(),
            ...comparison.partial().shape,
          }),
        )
        .min(1),
      Default: text.optional(),
    }),
  ),
  stepOf(
    'aws:approve',
    z.strictObject({
      Approvers: strings.min(1).max(10),
      NotificationArn: text.optional(),
      Message: text.max(4096).optional(),
      MinRequiredApprovals: z.number().int().min(1).default(1),
    }),
  ),
  stepOf(
    'aws:invokeLambdaFunction',
    z.strictObject({
      FunctionName: text,
      InvocationType: z.enum(['RequestResponse', 'Event', 'DryRun']).default('RequestResponse'),
      Qualifier: text.optional(),
      ClientContext: text.optional(),
      LogType: text.optional(),
      Payload: text.optional(),
      InputPayload: z.record(text, z.unknown()).optional(),
    }),
  ),
  stepOf(
    'aws:sleep',
    z
      .strictObject({
        Duration: text.regex(/^PT(\d+H)?(\d+M)?(\d+S)?$/).optional(),
        Timestamp: text.optional(),
      })
      .refine(({ Duration, Timestamp }) => (Duration === undefined) !== (Timestamp === undefined)),
  ),
]);

const documentSchema = z.strictObject({
  schemaVersion: z.literal('0.3'),
  description: text.optional(),
  assumeRole: text.optional(),
  outputs: strings.default([]),
  parameters: z.record(text.regex(/^[A-Za-z0-9_]{1,50}$/), parameter).default({}),
  mainSteps: z.array(step).min(1),
});

export type AutomationDocument = z.output<typeof documentSchema>;
export type AutomationStep = AutomationDocument['mainSteps'][number];
export type AutomationComparison = z.output<typeof comparison>;

export type ParsedDocument =
  | { readonly ok: true; readonly document: AutomationDocument }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** An Automation document of schema 0.3, of which every name that it uses must be one that it has. */
export function parseAutomationDocument(content: string, format: 'JSON' | 'YAML'): ParsedDocument {
  let data: unknown;
  try {
    data = format === 'JSON' ? JSON.parse(content) : parseYaml(content);
  } catch (error) {
    return refused(`the content is no ${format}: ${String(error)}`);
  }
  const version = z.looseObject({ schemaVersion: text }).safeParse(data).data?.schemaVersion;
  if (version !== undefined && version !== '0.3')
    return {
      ok: false,
      code: 'InvalidDocumentSchemaVersion',
      message: `schemaVersion ${version} is not 0.3`,
    };
  const parsed = documentSchema.safeParse(data);
  if (!parsed.success) return refused(z.prettifyError(parsed.error));
  const complaint = complaintOf(parsed.data);
  return complaint === undefined ? { ok: true, document: parsed.data } : refused(complaint);
}

function refused(message: string): ParsedDocument {
  return { ok: false, code: 'InvalidDocumentContent', message };
}

function complaintOf(document: AutomationDocument): string | undefined {
  const steps = document.mainSteps;
  const names = new Set(steps.map(({ name }) => name));
  if (names.size < steps.length) return 'two steps have one name';
  for (const each of steps) {
    const next = [each.nextStep, each.onFailure.startsWith('step:') ? each.onFailure.slice(5) : undefined];
    if (each.action === 'aws:branch')
      next.push(...each.inputs.Choices.map(({ NextStep }) => NextStep), each.inputs.Default);
    const absent = next.find((name) => name !== undefined && !names.has(name));
    if (absent !== undefined) return `the step ${each.name} leads to ${absent}, which is none`;
  }
  const known = new Set(Object.keys(document.parameters));
  for (const [, reference = ''] of JSON.stringify(document).matchAll(/\{\{ ?([^{} ]+) ?\}\}/g)) {
    const isStep = names.has(reference.split('.')[0] ?? '') && reference.includes('.');
    if (!known.has(reference) && !isStep && !/^(automation|global):\w+$/.test(reference))
      return `{{ ${reference} }} is neither a parameter nor an output of a step`;
  }
  return undefined;
}

/** The parameters of an execution: what was given, and defaults. */
export function completeParameters(
  document: AutomationDocument,
  given: Readonly<Record<string, readonly string[]>>,
): { readonly values: Readonly<Record<string, string>> } | { readonly complaint: string } {
  const unknown = Object.keys(given).find((name) => document.parameters[name] === undefined);
  if (unknown !== undefined) return { complaint: `${unknown} is no parameter of the document` };
  const values: Record<string, string> = {};
  for (const [name, wanted] of Object.entries(document.parameters)) {
    const list =
      given[name] ?? (wanted.default === undefined ? undefined : [wanted.default].flat().map(String));
    if (list === undefined) return { complaint: `${name} is missing` };
    if (list.length !== 1 && !/^(StringList|List<)/.test(wanted.type))
      return { complaint: `${name} has ${list.length} values` };
    for (const value of list) {
      const fits =
        (wanted.allowedPattern === undefined || new RegExp(wanted.allowedPattern).test(value)) &&
        (wanted.allowedValues?.includes(value) ?? true) &&
        (wanted.type !== 'Boolean' || /^(true|false)$/.test(value)) &&
        value.length >= (wanted.minChars ?? 0) &&
        value.length <= (wanted.maxChars ?? Number.POSITIVE_INFINITY);
      if (!fits) return { complaint: `${name} does not match what the document allows` };
    }
    values[name] = list.length === 1 ? (list[0] ?? '') : JSON.stringify(list);
  }
  return { values };
}
