import { BlockList, isIP } from 'node:net';

/** A statement of a resource policy as a synthesised template has it, intrinsic functions and all. */
export type PolicyStatement = Readonly<Record<string, unknown>>;

export type PolicyRequest = {
  /** Of the caller: a user, or the session of a role. */
  readonly principalArn: string;
  readonly principalAccount: string;
  /** E.g. `execute-api:Invoke`. */
  readonly action: string;
  readonly resourceArn: string;
  /** Condition keys in lower case; an absent one is not in the request. */
  readonly context: ReadonlyMap<string, string>;
};

/** What `Ref` and `Fn::Sub` stand for, e.g. `AWS::Partition`. */
export type TemplateValues = Readonly<Record<string, string>>;

/** What the statements say; strict: an element or operator that is not known here throws. */
export function evaluatePolicy(
  statements: readonly PolicyStatement[],
  request: PolicyRequest,
  values: TemplateValues,
): 'allow' | 'deny' | 'nothing' {
  let allowed = false;
  for (const statement of statements) {
    const { Sid: _, Effect, Principal, Action, Resource, Condition = {}, ...others } = statement;
    if (Object.keys(others).length > 0)
      throw new Error(`this fake does not know ${Object.keys(others).join(', ')} in a statement`);
    if (Effect !== 'Allow' && Effect !== 'Deny') throw new Error('a statement allows or denies');
    const isMeant =
      principalFits(Principal, request, values) &&
      texts(Action, values).some((pattern) => wildcard(pattern, 'i').test(request.action)) &&
      texts(Resource, values).some((pattern) =>
        wildcard(fullArn(pattern, request)).test(request.resourceArn),
      ) &&
      conditionsHold(Condition, request.context, values);
    if (!isMeant) continue;
    if (Effect === 'Deny') return 'deny';
    allowed = true;
  }
  return allowed ? 'allow' : 'nothing';
}

function principalFits(principal: unknown, request: PolicyRequest, values: TemplateValues): boolean {
  if (principal === '*') return true;
  if (!isObject(principal) || Object.keys(principal).some((kind) => kind !== 'AWS'))
    throw new Error('this fake knows principals of AWS only');
  return texts(principal['AWS'], values).some((each) => {
    if (each === '*' || each === request.principalAccount || each === request.principalArn) return true;
    return new RegExp(`^arn:aws[a-z-]*:iam::${request.principalAccount}:root$`).test(each);
  });
}

/** `execute-api:/stage/...` is short for the ARN of the API at hand. */
function fullArn(pattern: string, { resourceArn }: PolicyRequest): string {
  const [arn = ''] = resourceArn.split('/');
  return pattern.startsWith('execute-api:/') ? `${arn}${pattern.slice('execute-api:'.length)}` : pattern;
}

type Operator = (given: string, wanted: string) => boolean;

const operators: Readonly<Record<string, Operator>> = {
  Bool: (given, wanted) => given.toLowerCase() === wanted.toLowerCase(),
  StringEquals: (given, wanted) => given === wanted,
  StringLike: (given, wanted) => wildcard(wanted).test(given),
  ArnLike: (given, wanted) => wildcard(wanted).test(given),
  IpAddress: isWithin,
};
/** Hold also where the key is absent, and only where none of the values fits. */
const negated: Readonly<Record<string, Operator>> = {
  StringNotEquals: (given, wanted) => given === wanted,
  NotIpAddress: isWithin,
};

function conditionsHold(
  conditions: unknown,
  context: ReadonlyMap<string, string>,
  values: TemplateValues,
): boolean {
  if (!isObject(conditions)) throw new Error('Condition is an object');
  return Object.entries(conditions).every(([operator, keys]) => {
    if (!isObject(keys)) throw new Error(`${operator} has keys`);
    return Object.entries(keys).every(([key, wanted]) =>
      holds(operator, context.get(key.toLowerCase()), texts(wanted, values)),
    );
  });
}

function holds(operator: string, given: string | undefined, wanted: readonly string[]): boolean {
  const not = negated[operator];
  if (not !== undefined) return given === undefined || !wanted.some((each) => not(given, each));
  const ifExists = operator.endsWith('IfExists');
  const fits = operators[ifExists ? operator.slice(0, -'IfExists'.length) : operator];
  if (fits === undefined) throw new Error(`this fake does not know the condition operator ${operator}`);
  return given === undefined ? ifExists : wanted.some((each) => fits(given, each));
}

function isWithin(address: string, network: string): boolean {
  const [base = '', bits] = network.split('/');
  const family = isIP(address);
  if (family === 0 || isIP(base) !== family) return false;
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(base, Number(bits ?? (family === 4 ? 32 : 128)), type);
  return list.check(address, type);
}

function wildcard(pattern: string, flags = ''): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, `s${flags}`);
}

function texts(value: unknown, values: TemplateValues): readonly string[] {
  return (Array.isArray(value) ? value : [value]).map((each) => resolved(each, values));
}

/** A text, or `Ref`, `Fn::Join` and `Fn::Sub` of texts. */
function resolved(value: unknown, values: TemplateValues): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (isObject(value) && typeof value['Ref'] === 'string') return known(value['Ref'], values);
  if (isObject(value) && typeof value['Fn::Sub'] === 'string')
    return value['Fn::Sub'].replace(/\$\{([^}]+)\}/g, (_, name: string) => known(name, values));
  const join: unknown = isObject(value) ? value['Fn::Join'] : undefined;
  if (Array.isArray(join) && Array.isArray(join[1]))
    return join[1].map((part: unknown) => resolved(part, values)).join(String(join[0]));
  throw new Error(`this fake cannot resolve ${JSON.stringify(value)}`);
}

function known(name: string, values: TemplateValues): string {
  const value = values[name];
  if (value === undefined) throw new Error(`nothing says what ${name} is`);
  return value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
