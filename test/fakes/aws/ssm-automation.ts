import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type FakeResponse, type FakeService, jsonAnswer, jsonError } from './fake-aws.ts';

export type FakeExecution = {
  readonly id: string;
  readonly document: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly clientToken: string | undefined;
  status: 'InProgress' | 'Success' | 'Failed';
  failure: string | undefined;
  /** What each step gave. */
  readonly outputs: unknown[];
};

export type FakeSsmAutomation = FakeService & {
  readonly executions: readonly FakeExecution[];
  /** Settles when every execution begun so far has ended. */
  idle(): Promise<void>;
};

const parameter = z.looseObject({
  type: z.string(),
  default: z.string().optional(),
  allowedPattern: z.string().optional(),
  allowedValues: z.array(z.string()).optional(),
});
const documentSchema = z.looseObject({
  schemaVersion: z.literal('0.3'),
  parameters: z.record(z.string(), parameter).default({}),
  mainSteps: z
    .array(
      z.looseObject({
        name: z.string(),
        action: z.literal('aws:invokeLambdaFunction'),
        inputs: z.looseObject({
          FunctionName: z.string(),
          InputPayload: z.record(z.string(), z.string()),
        }),
      }),
    )
    .min(1),
});
type Document = z.output<typeof documentSchema>;

const createInput = z.looseObject({
  Name: z.string(),
  Content: z.string(),
  DocumentType: z.literal('Automation'),
});
const startInput = z.looseObject({
  DocumentName: z.string(),
  Parameters: z.record(z.string(), z.array(z.string())).default({}),
  ClientToken: z.uuid().optional(),
});

/** Automation of Systems Manager: documents that call functions, executions, client tokens. Leaves everything else of the service to others. */
export function fakeSsmAutomation(options: {
  readonly invoke: (functionArn: string, payload: unknown) => Promise<unknown>;
}): FakeSsmAutomation {
  const documents = new Map<string, Document>();
  const executions: FakeExecution[] = [];
  const running = new Set<Promise<void>>();

  function create(body: unknown): FakeResponse {
    const { Name, Content } = createInput.parse(body);
    if (documents.has(Name)) return jsonError(400, 'DocumentAlreadyExists', Name);
    const parsed = documentSchema.safeParse(JSON.parse(Content));
    if (!parsed.success) return jsonError(400, 'InvalidDocumentContent', parsed.error.message);
    documents.set(Name, parsed.data);
    return jsonAnswer({ DocumentDescription: { Name, DocumentVersion: '1', Status: 'Active' } });
  }

  function start(body: unknown): FakeResponse {
    const { DocumentName, Parameters, ClientToken } = startInput.parse(body);
    const document = documents.get(DocumentName);
    if (document === undefined) return jsonError(400, 'AutomationDefinitionNotFoundException', DocumentName);
    const known =
      ClientToken === undefined ? undefined : executions.find((each) => each.clientToken === ClientToken);
    if (known !== undefined) return jsonAnswer({ AutomationExecutionId: known.id });
    const parameters = completed(document, Parameters);
    if ('complaint' in parameters)
      return jsonError(400, 'InvalidAutomationExecutionParametersException', parameters.complaint);
    const execution: FakeExecution = {
      id: randomUUID(),
      document: DocumentName,
      parameters: parameters.values,
      clientToken: ClientToken,
      status: 'InProgress',
      failure: undefined,
      outputs: [],
    };
    executions.push(execution);
    const work = execute(document, execution, options.invoke).finally(() => running.delete(work));
    running.add(work);
    return jsonAnswer({ AutomationExecutionId: execution.id });
  }

  return {
    service: 'ssm',
    executions,
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
    handle(request) {
      const body = (): unknown => JSON.parse(request.body.toString('utf8'));
      switch (request.operation) {
        case 'CreateDocument':
          return create(body());
        case 'StartAutomationExecution':
          return start(body());
        case 'GetAutomationExecution': {
          const { AutomationExecutionId: id } = z
            .looseObject({ AutomationExecutionId: z.string() })
            .parse(body());
          const found = executions.find((each) => each.id === id);
          if (found === undefined) return jsonError(400, 'AutomationExecutionNotFoundException', id);
          return jsonAnswer({
            AutomationExecution: {
              AutomationExecutionId: id,
              AutomationExecutionStatus: found.status,
              FailureMessage: found.failure,
            },
          });
        }
        default:
          return undefined;
      }
    },
  };
}

function completed(
  document: Document,
  given: Readonly<Record<string, readonly string[]>>,
): { readonly values: Readonly<Record<string, string>> } | { readonly complaint: string } {
  const unknown = Object.keys(given).find((name) => document.parameters[name] === undefined);
  if (unknown !== undefined) return { complaint: `${unknown} is no parameter of the document` };
  const values: Record<string, string> = {};
  for (const [name, wanted] of Object.entries(document.parameters)) {
    const value = given[name]?.[0] ?? wanted.default;
    if (value === undefined) return { complaint: `${name} is missing` };
    const fits =
      (wanted.allowedPattern === undefined || new RegExp(wanted.allowedPattern).test(value)) &&
      (wanted.allowedValues?.includes(value) ?? true);
    if (!fits) return { complaint: `${name} does not match what the document allows` };
    values[name] = value;
  }
  return { values };
}

async function execute(
  document: Document,
  execution: FakeExecution,
  invoke: (functionArn: string, payload: unknown) => Promise<unknown>,
): Promise<void> {
  const fill = (text: string) =>
    text.replace(/\{\{ ?([\w:]+) ?\}\}/g, (_all, name: string) =>
      name === 'automation:EXECUTION_ID' ? execution.id : (execution.parameters[name] ?? ''),
    );
  try {
    for (const { inputs } of document.mainSteps) {
      const payload = Object.fromEntries(
        Object.entries(inputs.InputPayload).map(([name, text]) => [name, fill(text)]),
      );
      execution.outputs.push(await invoke(fill(inputs.FunctionName), payload));
    }
    execution.status = 'Success';
  } catch (error) {
    execution.status = 'Failed';
    execution.failure = error instanceof Error ? error.message : String(error);
  }
}
