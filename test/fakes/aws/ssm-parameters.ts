import { type FakeRequest, type FakeResponse, type FakeService, jsonAnswer, jsonError } from './fake-aws.ts';

type Kept = {
  readonly type: 'String' | 'StringList' | 'SecureString';
  readonly value: string;
  readonly version: number;
  readonly keyId: string | undefined;
};

export type FakeSsmParameters = Omit<FakeService, 'handle'> & {
  handle(request: FakeRequest): FakeResponse | undefined;
  readonly parameters: ReadonlyMap<string, Kept>;
};

class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

type Members = Readonly<Record<string, unknown>>;
type Parameters = Map<string, Kept>;

const region = 'eu-central-1';
const account = '123456789012';
/** A value of the standard tier. */
const maxValueBytes = 4096;
const namePattern = /^\/?[a-zA-Z0-9_.-]+(?:\/[a-zA-Z0-9_.-]+){0,14}$/;
const pathPattern = /^\/(?:[a-zA-Z0-9_.-]+(?:\/[a-zA-Z0-9_.-]+){0,14}\/?)?$/;

/**
 * Parameter Store in memory: parameters of the standard tier, with their versions. A secret comes out only where decryption was
 * asked for. Leaves every other operation of SSM to whoever comes next.
 */
export function fakeSsmParameters(
  /** Secrets of Secrets Manager by their names; handed out by reference, and only to those who ask for them decrypted. */
  secrets: ReadonlyMap<string, string> = new Map(),
): FakeSsmParameters {
  const parameters: Parameters = new Map();
  return {
    service: 'ssm',
    parameters,
    handle({ operation, body }): FakeResponse | undefined {
      const run = operation === undefined ? undefined : operations.get(operation);
      if (run === undefined) return undefined;
      try {
        const members = membersOf(body);
        const referred = operation === 'GetParameter' ? referredSecret(secrets, members) : undefined;
        return jsonAnswer(referred ?? run(parameters, members));
      } catch (error) {
        if (error instanceof Refusal) return jsonError(400, error.code, error.message);
        throw error;
      }
    },
  };
}

function membersOf(body: Buffer): Members {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    if (isRecord(parsed)) return parsed;
  } catch {
    // Said below, as for JSON of another shape.
  }
  throw new Refusal('SerializationException', 'the body is no structure');
}

function isRecord(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const operations: ReadonlyMap<string, (parameters: Parameters, members: Members) => unknown> = new Map([
  ['PutParameter', putParameter],
  ['GetParameter', getParameter],
  ['GetParameterHistory', getParameterHistory],
  ['GetParametersByPath', getParametersByPath],
  ['DeleteParameter', deleteParameter],
]);

function putParameter(parameters: Parameters, members: Members): unknown {
  only(members, ['Name', 'Value', 'Type', 'Overwrite', 'KeyId', 'Description', 'Tier']);
  const name = nameIn(members);
  const value = members['Value'];
  const there = parameters.get(name);
  if (typeof value !== 'string' || value === '')
    throw invalid(
      "Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1",
    );
  if (Buffer.byteLength(value) > maxValueBytes)
    throw invalid('Standard tier parameters support a maximum parameter value of 4096 characters.');
  if (there !== undefined && members['Overwrite'] !== true)
    throw new Refusal(
      'ParameterAlreadyExists',
      'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
    );
  const type = members['Type'] ?? there?.type;
  if (type !== 'String' && type !== 'StringList' && type !== 'SecureString')
    throw invalid('A parameter type is required when you create a parameter.');
  const keyId = members['KeyId'];
  if (keyId !== undefined && (type !== 'SecureString' || typeof keyId !== 'string'))
    throw invalid('KeyId is for parameters of the SecureString type only.');
  const version = (there?.version ?? 0) + 1;
  parameters.set(name, {
    type,
    value,
    version,
    keyId: type === 'SecureString' ? (keyId ?? 'alias/aws/ssm') : undefined,
  });
  return { Version: version, Tier: 'Standard' };
}

function getParameter(parameters: Parameters, members: Members): unknown {
  only(members, ['Name', 'WithDecryption']);
  const name = nameIn(members);
  const kept = parameters.get(name);
  if (kept === undefined) throw new Refusal('ParameterNotFound', '');
  return { Parameter: written(name, kept, members['WithDecryption'] === true) };
}

const referencePath = '/aws/reference/secretsmanager/';

/** Undefined where the name is no reference. */
function referredSecret(secrets: ReadonlyMap<string, string>, members: Members): unknown {
  const name = members['Name'];
  if (typeof name !== 'string' || !name.startsWith(referencePath)) return undefined;
  only(members, ['Name', 'WithDecryption']);
  if (members['WithDecryption'] !== true)
    throw invalid('WithDecryption flag must be True for retrieving a Secret Manager secret.');
  const value = secrets.get(name.slice(referencePath.length));
  if (value === undefined) throw new Refusal('ParameterNotFound', '');
  return { Parameter: { Name: name, Type: 'SecureString', Value: value, Version: 0, DataType: 'text' } };
}

/** Every version was written by the same user; older ones have lost their values here. */
function getParameterHistory(parameters: Parameters, members: Members): unknown {
  only(members, ['Name', 'MaxResults', 'NextToken', 'WithDecryption']);
  const { MaxResults, NextToken } = members;
  const size = MaxResults ?? 50;
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 1 || size > 50)
    throw invalid(
      "Value at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 50",
    );
  const name = nameIn(members);
  const kept = parameters.get(name);
  if (kept === undefined) throw new Refusal('ParameterNotFound', '');
  const start = typeof NextToken === 'string' ? Number(NextToken) : 0;
  const end = Math.min(kept.version, start + size);
  return {
    Parameters: Array.from({ length: end - start }, (_, index) => ({
      Name: name,
      Type: kept.type,
      Version: start + index + 1,
      LastModifiedUser: `arn:aws:iam::${account}:user/editor-${start + index + 1}`,
    })),
    ...(end < kept.version ? { NextToken: String(end) } : {}),
  };
}

function deleteParameter(parameters: Parameters, members: Members): unknown {
  only(members, ['Name']);
  if (!parameters.delete(nameIn(members))) throw new Refusal('ParameterNotFound', '');
  return {};
}

function getParametersByPath(parameters: Parameters, members: Members): unknown {
  only(members, ['Path', 'Recursive', 'WithDecryption', 'MaxResults', 'NextToken']);
  const { Path, MaxResults, NextToken } = members;
  if (typeof Path !== 'string' || !pathPattern.test(Path))
    throw invalid(
      'The parameter doesn\'t meet the parameter name requirements. The parameter name must begin with a forward slash "/".',
    );
  const size = MaxResults ?? 10;
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 1 || size > 10)
    throw invalid(
      "Value at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 10",
    );
  const prefix = Path.endsWith('/') ? Path : `${Path}/`;
  const names = [...parameters.keys()]
    .filter((name) => name.startsWith(prefix))
    .filter((name) => members['Recursive'] === true || !name.slice(prefix.length).includes('/'));
  const start =
    typeof NextToken === 'string' ? names.indexOf(Buffer.from(NextToken, 'base64').toString()) : 0;
  if (start < 0) throw new Refusal('InvalidNextToken', 'The specified token is not valid.');
  const page = names.slice(start, start + size);
  const next = names[start + size];
  return {
    Parameters: page.flatMap((name) => {
      const kept = parameters.get(name);
      return kept === undefined ? [] : [written(name, kept, members['WithDecryption'] === true)];
    }),
    ...(next === undefined ? {} : { NextToken: Buffer.from(next).toString('base64') }),
  };
}

function written(name: string, kept: Kept, decrypt: boolean): unknown {
  const hidden = kept.type === 'SecureString' && !decrypt;
  return {
    Name: name,
    Type: kept.type,
    Value: hidden ? `kms:${kept.keyId}:${Buffer.from(kept.value).toString('base64')}` : kept.value,
    Version: kept.version,
    ARN: `arn:aws:ssm:${region}:${account}:parameter${name.startsWith('/') ? '' : '/'}${name}`,
    DataType: 'text',
  };
}

function nameIn(members: Members): string {
  const name = members['Name'];
  if (typeof name !== 'string' || !namePattern.test(name) || /^\/?(?:aws|ssm)/i.test(name))
    throw invalid(
      'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive), and has letters, digits and .-_ between slashes.',
    );
  if (name.includes('/') && !name.startsWith('/'))
    throw invalid('Parameter name must be a fully qualified name: it begins with a forward slash "/".');
  return name;
}

function only(members: Members, known: readonly string[]): void {
  const unknown = Object.keys(members).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw invalid(`this fake does not know ${unknown.join(', ')} here`);
}

function invalid(message: string): Refusal {
  return new Refusal('ValidationException', message);
}
