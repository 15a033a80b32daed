import {
  answer,
  type FakeRule,
  type FakeSecurityGroups,
  fakeSecurityGroups,
  filters,
  numbered,
  refusal,
  xml,
} from './ec2-security-groups.ts';
import type { FakeResponse } from './fake-aws.ts';

export type FakeInstance = {
  readonly id: string;
  /** `running` when absent. */
  readonly state?: 'pending' | 'running' | 'stopping' | 'stopped' | 'terminated';
  readonly privateIp?: string;
  readonly publicIp?: string;
  readonly zone?: string;
  readonly tags?: Readonly<Record<string, string>>;
};

export type FakeEc2 = FakeSecurityGroups & {
  /** By id; tests add, change and take away. */
  readonly instances: Map<string, FakeInstance>;
};

/** Instances and their tags, besides what `fakeSecurityGroups` does (EC2's Query protocol). */
export function fakeEc2(
  options: {
    readonly instances?: readonly FakeInstance[];
    readonly securityGroupRules?: readonly FakeRule[];
    readonly pageSize?: number;
  } = {},
): FakeEc2 {
  const groups = fakeSecurityGroups(options.pageSize === undefined ? {} : { pageSize: options.pageSize });
  const instances = new Map((options.instances ?? []).map((instance) => [instance.id, instance]));
  for (const rule of options.securityGroupRules ?? []) groups.rules.set(rule.ruleId, rule);

  function describe(form: URLSearchParams): FakeResponse {
    const ids = numbered(form, 'InstanceId');
    const size = form.get('MaxResults');
    if (size !== null && ids.length > 0)
      return refusal(
        'InvalidParameterCombination',
        'The parameter instancesSet cannot be used with maxResults',
      );
    if (size !== null && !(Number(size) >= 5 && Number(size) <= 1000))
      return refusal(
        'InvalidParameterValue',
        `Value ( ${size} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.`,
      );
    const absent = ids.find((id) => !instances.has(id));
    if (absent !== undefined)
      return refusal('InvalidInstanceID.NotFound', `The instance ID '${absent}' does not exist`);
    const token = form.get('NextToken');
    if (token !== null && !/^page-\d+$/.test(token))
      return refusal('InvalidNextToken', 'The token is not valid.');
    const wanted = filters(form);
    const unknown = wanted.find(({ name }) => !/^(instance-state-name|instance-id|tag:.+)$/.test(name));
    if (unknown !== undefined)
      return refusal('InvalidParameterValue', `The filter '${unknown.name}' is invalid`);
    const found = [...instances.values()].filter(
      (instance) =>
        (ids.length === 0 || ids.includes(instance.id)) &&
        wanted.every(({ name, values }) => values.some((value) => fits(valueOf(instance, name), value))),
    );
    const from = token === null ? 0 : Number(token.slice('page-'.length));
    const to = from + Math.min(Number(size ?? 1000), options.pageSize ?? 1000);
    const next = to < found.length ? `<nextToken>page-${to}</nextToken>` : '';
    const items = found.slice(from, to).map(reservationXml).join('');
    return answer('DescribeInstances', `<reservationSet>${items}</reservationSet>${next}`);
  }

  function createTags(form: URLSearchParams): FakeResponse {
    const ids = numbered(form, 'ResourceId');
    const added = tagsOf(form);
    if (ids.length === 0 || added === undefined || Object.keys(added).length === 0)
      return refusal('MissingParameter', 'The request must contain resources and tags with keys');
    if (Object.keys(added).some((key) => key.startsWith('aws:') || key.length > 127))
      return refusal(
        'InvalidParameterValue',
        'Tag keys have at most 127 characters and do not start with aws:',
      );
    for (const id of ids) {
      const instance = instances.get(id);
      const isGroup = groups.tags.has(id) || [...groups.rules.values()].some(({ groupId }) => groupId === id);
      if (instance === undefined && !isGroup)
        return refusal(
          id.startsWith('sg-') ? 'InvalidGroup.NotFound' : 'InvalidInstanceID.NotFound',
          `The ID '${id}' does not exist`,
        );
    }
    for (const id of ids) {
      const instance = instances.get(id);
      if (instance === undefined) groups.tags.set(id, { ...groups.tags.get(id), ...added });
      else instances.set(id, { ...instance, tags: { ...instance.tags, ...added } });
    }
    return answer('CreateTags', '<return>true</return>');
  }

  return {
    ...groups,
    instances,
    handle(request) {
      const form = new URLSearchParams(request.body.toString('utf8'));
      switch (form.get('Action')) {
        case 'DescribeInstances':
          return describe(form);
        case 'CreateTags':
          return createTags(form);
        default:
          return groups.handle(request);
      }
    },
  };
}

function valueOf(instance: FakeInstance, filter: string): string | undefined {
  if (filter === 'instance-id') return instance.id;
  if (filter === 'instance-state-name') return instance.state ?? 'running';
  return instance.tags?.[filter.slice('tag:'.length)];
}

/** `*` and `?` stand for characters unless a backslash comes before them. */
function fits(value: string | undefined, pattern: string): boolean {
  if (value === undefined) return false;
  const source = pattern.replace(/\\?[\s\S]/g, (part) => {
    if (part === '*') return '[\\s\\S]*';
    if (part === '?') return '[\\s\\S]';
    return (part.length > 1 ? part.slice(1) : part).replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  });
  return new RegExp(`^${source}$`).test(value);
}

function tagsOf(form: URLSearchParams): Readonly<Record<string, string>> | undefined {
  const tags: [string, string][] = [];
  for (let index = 1; ; index += 1) {
    const key = form.get(`Tag.${index}.Key`);
    if (key === null) return Object.fromEntries(tags);
    if (key === '') return undefined;
    tags.push([key, form.get(`Tag.${index}.Value`) ?? '']);
  }
}

const stateCodes = { pending: 0, running: 16, stopping: 64, stopped: 80, terminated: 48 } as const;

function reservationXml(instance: FakeInstance): string {
  const { id, state = 'running', privateIp, publicIp, zone = 'eu-central-1a', tags = {} } = instance;
  const tagged = Object.entries(tags).map(
    ([key, value]) => `<item><key>${xml(key)}</key><value>${xml(value)}</value></item>`,
  );
  return [
    `<item><reservationId>r-${id.slice(2)}</reservationId><ownerId>123456789012</ownerId><instancesSet><item>`,
    `<instanceId>${xml(id)}</instanceId>`,
    `<instanceState><code>${stateCodes[state]}</code><name>${state}</name></instanceState>`,
    privateIp === undefined ? '' : `<privateIpAddress>${xml(privateIp)}</privateIpAddress>`,
    publicIp === undefined ? '' : `<ipAddress>${xml(publicIp)}</ipAddress>`,
    `<placement><availabilityZone>${zone}</availabilityZone></placement>`,
    `<tagSet>${tagged.join('')}</tagSet>`,
    '</item></instancesSet></item>',
  ].join('');
}
