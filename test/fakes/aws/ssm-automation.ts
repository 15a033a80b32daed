import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { z } from 'zod';
import { type FakeResponse, type FakeService, jsonAnswer, jsonError } from './fake-aws.ts';
import {
  type AutomationDocument,
  completeParameters,
  parseAutomationDocument,
} from './ssm-automation-document.ts';
import { type FakeExecution, runDocument } from './ssm-automation-run.ts';

export type FakeSsmAutomation = FakeService & {
  readonly executions: readonly FakeExecution[];
  /** Settles when every execution begun so far has ended or waits for an approval. */
  idle(): Promise<void>;
};

type Stored = { readonly name: string; readonly versions: Version[]; defaultVersion: number };
type Version = {
  readonly content: string;
  readonly format: 'JSON' | 'YAML';
  readonly document: AutomationDocument;
};

const name = z.string().regex(/^[a-zA-Z0-9_\-.:/]{3,128}$/);
const format = z.enum(['JSON', 'YAML']).default('JSON');
const createInput = z.looseObject({
  Name: z.string().regex(/^[a-zA-Z0-9_\-.]{3,128}$/),
  Content: z.string().min(1),
  DocumentType: z.string(),
  DocumentFormat: format,
});
const updateInput = z.looseObject({
  Name: name,
  Content: z.string().min(1),
  DocumentFormat: format,
  DocumentVersion: z.string().optional(),
});
const readInput = z.looseObject({ Name: name, DocumentVersion: z.string().default('$DEFAULT') });
const defaultInput = z.looseObject({ Name: name, DocumentVersion: z.string().regex(/^[1-9]\d*$/) });
const startInput = z.looseObject({
  DocumentName: name,
  DocumentVersion: z.string().default('$DEFAULT'),
  Parameters: z.record(z.string().min(1).max(50), z.array(z.string().min(1).max(512)).max(50)).default({}),
  ClientToken: z
    .string()
    .regex(/^[a-fA-F0-9]{8}-([a-fA-F0-9]{4}-){3}[a-fA-F0-9]{12}$/)
    .optional(),
});
const signalInput = z.looseObject({
  AutomationExecutionId: z.string().length(36),
  SignalType: z.enum(['Approve', 'Reject', 'StartStep', 'StopStep', 'Resume', 'Revoke']),
});
const executionInput = z.looseObject({ AutomationExecutionId: z.string().length(36) });

/** A document of this type is somebody else's. */
const ours = 'Automation';
const maxContentBytes = 64 * 1024;

/**
 * Automation of Systems Manager: documents with branches, approvals, functions and sleeps, their executions, client tokens. Leaves
 * everything else of the service to others.
 */
export function fakeSsmAutomation(options: {
  readonly invoke: (functionArn: string, payload: unknown) => Promise<unknown>;
  /** Takes no time when absent. */
  readonly sleep?: (ms: number) => Promise<void>;
  /** More at once are refused. */
  readonly maxExecutions?: number;
}): FakeSsmAutomation {
  const documents = new Map<string, Stored>();
  const executions: FakeExecution[] = [];
  const asked = new Map<string, { readonly request: string; readonly executionId: string }>();
  const decisions = new Map<string, (decision: 'Approve' | 'Reject') => void>();
  const changes = new EventEmitter();
  const find = (documentName: string) => documents.get(documentName.split('/').at(-1) ?? '');

  function create(input: z.output<typeof createInput>): FakeResponse | undefined {
    const { Name, Content, DocumentType, DocumentFormat } = input;
    if (DocumentType !== ours) return undefined;
    if (documents.has(Name)) return jsonError(400, 'DocumentAlreadyExists', `${Name} already exists.`);
    const version = versionOf(Content, DocumentFormat);
    if ('status' in version) return version;
    documents.set(Name, { name: Name, versions: [version], defaultVersion: 1 });
    return jsonAnswer({ DocumentDescription: descriptionOf(Name, 1, DocumentFormat) });
  }

  function update(input: z.output<typeof updateInput>): FakeResponse | undefined {
    const stored = find(input.Name);
    if (stored === undefined) return undefined;
    const version = versionOf(input.Content, input.DocumentFormat);
    if ('status' in version) return version;
    const wanted = input.DocumentVersion ?? '';
    if (wanted !== '$LATEST' && wanted !== String(stored.versions.length))
      return jsonError(
        400,
        'InvalidDocumentVersion',
        'Only the latest version can be updated; name $LATEST.',
      );
    if (stored.versions.some(({ content }) => content === version.content))
      return jsonError(400, 'DuplicateDocumentContent', 'The content is that of another version.');
    stored.versions.push(version);
    return jsonAnswer({
      DocumentDescription: descriptionOf(stored.name, stored.versions.length, input.DocumentFormat),
    });
  }

  function read({ Name, DocumentVersion }: z.output<typeof readInput>): FakeResponse | undefined {
    const stored = find(Name);
    if (stored === undefined) return undefined;
    const number = numberOf(stored, DocumentVersion);
    const version = stored.versions[number - 1];
    if (version === undefined) return jsonError(400, 'InvalidDocumentVersion', DocumentVersion);
    return jsonAnswer({
      ...descriptionOf(stored.name, number, version.format),
      DocumentType: ours,
      Content: version.content,
    });
  }

  function setDefault({ Name, DocumentVersion }: z.output<typeof defaultInput>): FakeResponse | undefined {
    const stored = find(Name);
    if (stored === undefined) return undefined;
    if (stored.versions[Number(DocumentVersion) - 1] === undefined)
      return jsonError(400, 'InvalidDocumentVersion', DocumentVersion);
    stored.defaultVersion = Number(DocumentVersion);
    return jsonAnswer({ Description: { Name: stored.name, DefaultVersion: DocumentVersion } });
  }

  function start(input: z.output<typeof startInput>): FakeResponse {
    const { DocumentName, DocumentVersion, Parameters, ClientToken } = input;
    const token = ClientToken?.toLowerCase();
    const request = JSON.stringify([
      DocumentName,
      DocumentVersion,
      Object.entries(Parameters).sort(([one], [other]) => (one < other ? -1 : 1)),
    ]);
    const before = token === undefined ? undefined : asked.get(token);
    if (before !== undefined)
      return before.request === request
        ? jsonAnswer({ AutomationExecutionId: before.executionId })
        : jsonError(400, 'IdempotentParameterMismatch', 'The client token was used with other parameters.');
    const stored = find(DocumentName);
    if (stored === undefined)
      return jsonError(400, 'AutomationDefinitionNotFoundException', `${DocumentName} was not found.`);
    const number = numberOf(stored, DocumentVersion);
    const document = stored.versions[number - 1]?.document;
    if (document === undefined)
      return jsonError(400, 'AutomationDefinitionVersionNotFoundException', DocumentVersion);
    const parameters = completeParameters(document, Parameters);
    if ('complaint' in parameters)
      return jsonError(400, 'InvalidAutomationExecutionParametersException', parameters.complaint);
    if (executions.filter(isUnderWay).length >= (options.maxExecutions ?? Number.POSITIVE_INFINITY))
      return jsonError(400, 'AutomationExecutionLimitExceededException', 'Too many executions.');
    const execution: FakeExecution = {
      id: randomUUID(),
      document: stored.name,
      documentVersion: String(number),
      parameters: parameters.values,
      clientToken: ClientToken,
      status: 'InProgress',
      failure: undefined,
      steps: [],
      outputs: [],
    };
    executions.push(execution);
    if (token !== undefined) asked.set(token, { request, executionId: execution.id });
    void runDocument(document, execution, {
      invoke: options.invoke,
      sleep: options.sleep ?? (() => Promise.resolve()),
      decision: ({ id }) =>
        new Promise((resolve) => {
          decisions.set(id, resolve);
          setImmediate(() => changes.emit('change'));
        }),
    }).finally(() => changes.emit('change'));
    return jsonAnswer({ AutomationExecutionId: execution.id });
  }

  function signal(input: z.output<typeof signalInput>): FakeResponse {
    const { AutomationExecutionId: id, SignalType } = input;
    if (!executions.some((each) => each.id === id))
      return jsonError(400, 'AutomationExecutionNotFoundException', id);
    const decide = decisions.get(id);
    if ((SignalType !== 'Approve' && SignalType !== 'Reject') || decide === undefined)
      return jsonError(
        400,
        'InvalidAutomationSignalException',
        `${SignalType} is not what the execution waits for.`,
      );
    decisions.delete(id);
    const execution = executions.find((each) => each.id === id);
    if (execution !== undefined) execution.status = 'InProgress';
    decide(SignalType);
    return jsonAnswer({});
  }

  function get({ AutomationExecutionId: id }: z.output<typeof executionInput>): FakeResponse {
    const found = executions.find((each) => each.id === id);
    return found === undefined
      ? jsonError(400, 'AutomationExecutionNotFoundException', id)
      : jsonAnswer({ AutomationExecution: executionOf(found) });
  }

  return {
    service: 'ssm',
    executions,
    async idle() {
      while (executions.some(({ status }) => status === 'InProgress')) await once(changes, 'change');
    },
    handle({ operation, body }) {
      const given = <Input extends z.ZodType>(
        schema: Input,
        answer: (input: z.output<Input>) => FakeResponse | undefined,
      ): FakeResponse | undefined => {
        const parsed = schema.safeParse(JSON.parse(body.toString('utf8')));
        return parsed.success
          ? answer(parsed.data)
          : jsonError(400, 'ValidationException', z.prettifyError(parsed.error));
      };
      switch (operation) {
        case 'CreateDocument':
          return given(createInput, create);
        case 'UpdateDocument':
          return given(updateInput, update);
        case 'GetDocument':
          return given(readInput, read);
        case 'UpdateDocumentDefaultVersion':
          return given(defaultInput, setDefault);
        case 'StartAutomationExecution':
          return given(startInput, start);
        case 'SendAutomationSignal':
          return given(signalInput, signal);
        case 'GetAutomationExecution':
          return given(executionInput, get);
        default:
          return undefined;
      }
    },
  };
}

function isUnderWay({ status }: FakeExecution): boolean {
  return status === 'InProgress' || status === 'Waiting';
}

function versionOf(content: string, documentFormat: 'JSON' | 'YAML'): Version | FakeResponse {
  if (Buffer.byteLength(content) > maxContentBytes)
    return jsonError(400, 'MaxDocumentSizeExceeded', 'A document has at most 64 KB.');
  const parsed = parseAutomationDocument(content, documentFormat);
  return parsed.ok
    ? { content, format: documentFormat, document: parsed.document }
    : jsonError(400, parsed.code, parsed.message);
}

function numberOf({ versions, defaultVersion }: Stored, version: string): number {
  if (version === '$DEFAULT') return defaultVersion;
  return version === '$LATEST' ? versions.length : Number(version);
}

function descriptionOf(documentName: string, version: number, documentFormat: string) {
  return {
    Name: documentName,
    DocumentVersion: String(version),
    DocumentFormat: documentFormat,
    Status: 'Active',
  };
}

function executionOf(execution: FakeExecution) {
  const { id, document, documentVersion, parameters, status, failure, steps } = execution;
  const current = steps.at(-1);
  return {
    AutomationExecutionId: id,
    DocumentName: document,
    DocumentVersion: documentVersion,
    AutomationExecutionStatus: status,
    FailureMessage: failure,
    CurrentStepName: isUnderWay(execution) ? current?.name : undefined,
    CurrentAction: isUnderWay(execution) ? current?.action : undefined,
    Parameters: Object.fromEntries(Object.entries(parameters).map(([each, value]) => [each, [value]])),
    StepExecutionsTruncated: false,
    StepExecutions: steps.map((step) => ({
      StepName: step.name,
      Action: step.action,
      StepStatus: step.status,
      FailureMessage: step.failure,
      Outputs: Object.fromEntries(Object.entries(step.outputs).map(([each, value]) => [each, [value]])),
    })),
  };
}
