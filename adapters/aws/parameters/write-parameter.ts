import {
  DeleteParameterCommand,
  ParameterAlreadyExists,
  ParameterNotFound,
  PutParameterCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { parametersFault } from './parameters-error.ts';

const limits: AttemptLimits = { deadlineMs: 15_000, attemptMs: 5_000 };

/** Writes a text that is no secret. `keep`: where there is one already, that stays. @throws ParametersError */
export async function putParameter(
  client: SSMClient,
  name: string,
  value: string,
  there: 'overwrite' | 'keep',
): Promise<void> {
  const command = new PutParameterCommand({
    Name: name,
    Value: value,
    Type: 'String',
    Overwrite: there === 'overwrite',
  });
  try {
    await attempt(limits, (abortSignal) => client.send(command, { abortSignal }));
  } catch (error) {
    if (there === 'keep' && error instanceof ParameterAlreadyExists) return;
    throw parametersFault('PutParameter', name, error);
  }
}

/** Nothing happens where there is none. @throws ParametersError */
export async function deleteParameter(client: SSMClient, name: string): Promise<void> {
  const command = new DeleteParameterCommand({ Name: name });
  try {
    await attempt(limits, (abortSignal) => client.send(command, { abortSignal }));
  } catch (error) {
    if (!(error instanceof ParameterNotFound)) throw parametersFault('DeleteParameter', name, error);
  }
}
