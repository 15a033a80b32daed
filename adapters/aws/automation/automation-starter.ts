import { type SSMClient, StartAutomationExecutionCommand } from '@aws-sdk/client-ssm';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';

export type AutomationErrorCode = 'no-document' | 'not-started';

export class AutomationError extends Error {
  override readonly name = 'AutomationError';
  readonly code: AutomationErrorCode;

  constructor(code: AutomationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type AutomationStarter = {
  /** `started` is false where an execution with this token was started before. */
  start(request: {
    readonly document: string;
    readonly parameters: Readonly<Record<string, string>>;
    /** A UUID; the same for the same wish. */
    readonly clientToken: string;
  }): Promise<{ readonly executionId: string; readonly started: boolean }>;
};

const limits: AttemptLimits = { deadlineMs: 15_000, attemptMs: 5_000 };

/** Starts Automation documents. @throws AutomationError `no-document`, `not-started` */
export function createAutomationStarter({ client }: { readonly client: SSMClient }): AutomationStarter {
  return {
    async start({ document, parameters, clientToken }) {
      try {
        const { AutomationExecutionId } = await attempt(limits, (abortSignal) =>
          client.send(
            new StartAutomationExecutionCommand({
              DocumentName: document,
              ClientToken: clientToken,
              Parameters: Object.fromEntries(
                Object.entries(parameters).map(([name, value]) => [name, [value]]),
              ),
            }),
            { abortSignal },
          ),
        );
        return { executionId: AutomationExecutionId ?? '', started: true };
      } catch (cause) {
        const name = cause instanceof Error ? cause.name : '';
        // The token was used: what it stands for was started.
        if (name === 'IdempotentParameterMismatch') return { executionId: '', started: false };
        if (name === 'AutomationDefinitionNotFoundException')
          throw new AutomationError(
            'no-document',
            `there is no Automation document ${document}; deploy the Response stack, which makes one for every runbook`,
            { cause },
          );
        throw new AutomationError(
          'not-started',
          `the Automation document ${document} could not be started: ${
            name === 'AutomationExecutionLimitExceededException'
              ? 'too many executions are under way; it is started again by the next run'
              : awsFaultWords('Systems Manager', 'ssm:StartAutomationExecution', cause)
          }`,
          { cause },
        );
      }
    },
  };
}
