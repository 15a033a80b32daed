import { setTimeout as delay } from 'node:timers/promises';
import {
  GetParameterCommand,
  GetParameterHistoryCommand,
  type GetParameterHistoryCommandOutput,
  GetParametersByPathCommand,
  type GetParametersByPathCommandOutput,
  type Parameter,
  ParameterAlreadyExists,
  ParameterNotFound,
  PutParameterCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { ParametersError, parametersFault } from './parameters-error.ts';

export type StoredParameter = {
  /** From the root, e.g. `/sshtrail/prod/config/sshtrail.yaml`. */
  readonly name: string;
  readonly value: string;
  readonly version: number;
};

const limits: AttemptLimits = { deadlineMs: 10_000, attemptMs: 5_000 };
/** A deployment has a few; beyond this somebody reads the wrong path. */
const maxParameters = 1_000;
/** What one reader has put another may not see at once. */
const visibleWithinMs = 5_000;

/**
 * Everything below the path, decrypted, by name in ascending order.
 * @throws ParametersError
 */
export async function readParameters(options: {
  readonly client: SSMClient;
  /** `/sshtrail/<name>` or a path below it. */
  readonly path: string;
}): Promise<StoredParameter[]> {
  const { client, path } = options;
  const found: StoredParameter[] = [];
  let token: string | undefined;
  do {
    const page: GetParametersByPathCommandOutput = await told('GetParametersByPath', path, (abortSignal) =>
      client.send(
        new GetParametersByPathCommand({
          Path: path,
          Recursive: true,
          WithDecryption: true,
          MaxResults: 10,
          NextToken: token,
        }),
        { abortSignal },
      ),
    );
    for (const parameter of page.Parameters ?? []) found.push(storedParameter(path, parameter));
    if (found.length > maxParameters)
      throw new ParametersError(
        'refused',
        `there are more than ${maxParameters} parameters below ${JSON.stringify(path)}; give the path of one deployment`,
      );
    token = page.NextToken === '' ? undefined : page.NextToken;
  } while (token !== undefined);
  return found.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/**
 * The value, decrypted; undefined where there is no such parameter.
 * @throws ParametersError
 */
export async function readParameter(client: SSMClient, name: string): Promise<string | undefined> {
  return (await getParameter(client, name))?.Value;
}

/**
 * A secret that somebody put there: a SecureString, or what `secretReference` names.
 * @throws ParametersError `refused` where there is none, `unsafe` where it is there in the clear
 */
export async function readSecret(client: SSMClient, name: string): Promise<string> {
  const found = await getParameter(client, name);
  if (found?.Value === undefined)
    throw new ParametersError(
      'refused',
      `there is no parameter ${JSON.stringify(name)}; put the secret there`,
    );
  if (found.Type !== 'SecureString')
    throw new ParametersError(
      'unsafe',
      `the parameter ${JSON.stringify(name)} holds a secret in the clear; put another one there, as a SecureString`,
    );
  return found.Value;
}

/**
 * The name by which Parameter Store hands out a secret of Secrets Manager
 * (https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html).
 */
export function secretReference(secretName: string): string {
  return `/aws/reference/secretsmanager/${secretName}`;
}

/**
 * The ARN of who wrote the present version; undefined where that is not known. Values are not asked for.
 * @throws ParametersError
 */
export async function readParameterAuthor(client: SSMClient, name: string): Promise<string | undefined> {
  let newest = { version: 0, author: undefined as string | undefined };
  let token: string | undefined;
  // There are a hundred versions at most, which is two pages.
  for (let page = 0; page < 10; page += 1) {
    const answer: GetParameterHistoryCommandOutput = await told('GetParameterHistory', name, (abortSignal) =>
      client.send(new GetParameterHistoryCommand({ Name: name, MaxResults: 50, NextToken: token }), {
        abortSignal,
      }),
    );
    for (const { Version: version = 0, LastModifiedUser: author } of answer.Parameters ?? [])
      if (version > newest.version) newest = { version, author };
    token = answer.NextToken === '' ? undefined : answer.NextToken;
    if (token === undefined) break;
  }
  return newest.author;
}

/**
 * The secret under the name, which is made where there is none. Whoever else makes it at the same time gets the same one.
 * @throws ParametersError `unsafe` where the parameter is there in the clear
 */
export async function ensureSecret(
  client: SSMClient,
  name: string,
  make: () => string,
  options: { readonly keyId?: string } = {},
): Promise<string> {
  const there = await getSecret(client, name);
  if (there !== undefined) return there;
  const secret = make();
  const made = await told('PutParameter', name, async (abortSignal) => {
    try {
      await client.send(
        new PutParameterCommand({
          Name: name,
          Value: secret,
          Type: 'SecureString',
          Overwrite: false,
          KeyId: options.keyId,
        }),
        { abortSignal },
      );
      return true;
    } catch (error) {
      if (error instanceof ParameterAlreadyExists) return false;
      throw error;
    }
  });
  return made ? secret : othersSecret(client, name);
}

/** Another's, or our own whose answer was lost. */
async function othersSecret(client: SSMClient, name: string): Promise<string> {
  const deadline = performance.now() + visibleWithinMs;
  for (;;) {
    const secret = await getSecret(client, name);
    if (secret !== undefined) return secret;
    if (performance.now() > deadline)
      throw new ParametersError(
        'unavailable',
        `the parameter ${JSON.stringify(name)} exists and cannot be found; try again`,
      );
    await delay(100);
  }
}

async function getSecret(client: SSMClient, name: string): Promise<string | undefined> {
  const found = await getParameter(client, name);
  if (found === undefined) return undefined;
  if (found.Type !== 'SecureString')
    throw new ParametersError(
      'unsafe',
      `the parameter ${JSON.stringify(name)} holds a secret in the clear; delete it, so that another one is made, and distrust what it held`,
    );
  return found.Value;
}

async function getParameter(client: SSMClient, name: string): Promise<Parameter | undefined> {
  return told('GetParameter', name, async (abortSignal) => {
    try {
      const command = new GetParameterCommand({ Name: name, WithDecryption: true });
      return (await client.send(command, { abortSignal })).Parameter;
    } catch (error) {
      if (error instanceof ParameterNotFound) return undefined;
      throw error;
    }
  });
}

function storedParameter(path: string, { Name, Value, Version }: Parameter): StoredParameter {
  if (Name === undefined || Value === undefined || Version === undefined)
    throw new ParametersError(
      'refused',
      `Parameter Store left out a name, value or version below ${JSON.stringify(path)}; try again`,
    );
  return { name: Name, value: Value, version: Version };
}

async function told<Result>(
  operation: Parameters<typeof parametersFault>[0],
  name: string,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  try {
    return await attempt(limits, call);
  } catch (error) {
    throw parametersFault(operation, name, error);
  }
}
