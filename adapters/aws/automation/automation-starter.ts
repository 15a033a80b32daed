import { type SSMClient, StartAutomationExecutionCommand } from '@aws-sdk/client-ssm';
import { type AttemptLimits, attempt, awsFaultKind } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';

export type AutomationErrorCode = 'no-document' | 'not-started';

export class AutomationError extends Error {
  override readonly name = 'AutomationError';
  readonly code: AutomationErrorCode;
  /** The same call may help later, without anybody doing anything. */
  readonly retryable: boolean;

  constructor(
    code: AutomationErrorCode,
    message: string,
    options: ErrorOptions & { readonly retryable?: boolean } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

export type AutomationStarter = {
  /**
   * `started` is false, and the id empty, where the token was used for another call before. Of the same call again Systems Manager gives the
   * execution it started then, which looks like a new one.
   */
  start(request: {
    readonly document: string;
    readonly parameters: Readonly<Record<string, string>>;
    /** A UUID; the same for the same wish. */
    readonly clientToken: string;
  }): Promise<{ readonly executionId: string; readonly started: boolean }>;
};

const limits: AttemptLimits = { deadlineMs: 15_000, attemptMs: 5_000 };

/**
 * Starts Automation documents. The client is best with `maxAttempts: 1`: calls are repeated here.
 * @throws AutomationError `no-document`, `not-started`
 */
export function createAutomationStarter({ client }: { readonly client: SSMClient }): AutomationStarter {
  return {
    async start({ document, parameters, clientToken }) {
      const command = new StartAutomationExecutionCommand({
        DocumentName: document,
        ClientToken: clientToken,
        Parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, [value]])),
      });
      let executionId: string | undefined;
      try {
        const output = await attempt(limits, (abortSignal) => client.send(command, { abortSignal }));
        executionId = output.AutomationExecutionId;
      } catch (cause) {
        // The token was used: what it stands for was started.
        if (cause instanceof Error && cause.name === 'IdempotentParameterMismatch')
          return { executionId: '', started: false };
        throw faultOf(document, cause);
      }
      if (executionId !== undefined) return { executionId, started: true };
      throw new AutomationError(
        'not-started',
        `Systems Manager named no execution of the Automation document ${document}; look whether one is under way`,
        { retryable: true },
      );
    },
  };
}

function faultOf(document: string, cause: unknown): AutomationError {
  const name = cause instanceof Error ? cause.name : '';
  if (
    name === 'AutomationDefinitionNotFoundException' ||
    name === 'AutomationDefinitionVersionNotFoundException'
  )
    return new AutomationError(
      'no-document',
      `there is no Automation document ${document}; deploy the Response stack, which makes one for every runbook`,
      { cause },
    );
  const isFull = name === 'AutomationExecutionLimitExceededException';
  const kind = awsFaultKind(cause);
  const why = isFull
    ? 'too many executions are under way; it is started again by the next run'
    : awsFaultWords('Systems Manager', 'ssm:StartAutomationExecution', cause);
  return new AutomationError(
    'not-started',
    `the Automation document ${document} could not be started: ${why}`,
    { cause, retryable: isFull || kind === 'throttled' || kind === 'unavailable' },
  );
}
