import type { FakeResponse, FakeService } from './fake-aws.ts';

export type FakeRule = {
  readonly ruleId: string;
  readonly groupId: string;
  readonly egress?: boolean;
  readonly protocol?: string;
  readonly fromPort?: number;
  readonly toPort?: number;
  readonly cidrIpv4?: string;
  readonly cidrIpv6?: string;
  readonly prefixListId?: string;
};

export type FakeSecurityGroups = FakeService & {
  /** By id; tests add and take away. */
  readonly rules: Map<string, FakeRule>;
  /** Tags by the group's id. A group without an entry has none. */
  readonly tags: Map<string, Readonly<Record<string, string>>>;
  /** Ids of rules that were taken back, in order. */
  readonly revoked: readonly string[];
};

/** Rules of security groups (EC2's Query protocol). Groups are there as long as a rule or a tag names them. */
export function fakeSecurityGroups(options: { readonly pageSize?: number } = {}): FakeSecurityGroups {
  const rules = new Map<string, FakeRule>();
  const tags = new Map<string, Readonly<Record<string, string>>>();
  const revoked: string[] = [];

  function describeRules(form: URLSearchParams): FakeResponse {
    const size = Math.min(Number(form.get('MaxResults') ?? 1000), options.pageSize ?? 1000);
    if (Number(form.get('MaxResults') ?? 1000) < 5 || Number(form.get('MaxResults') ?? 1000) > 1000)
      return refusal('InvalidParameterValue', 'MaxResults is 5 to 1000');
    const found = [...rules.values()].filter((rule) =>
      filters(form).every(({ name, values }) => {
        if (name === 'security-group-rule-id') return values.includes(rule.ruleId);
        if (name === 'group-id') return values.includes(rule.groupId);
        throw new Error(`this fake knows no filter ${name}`);
      }),
    );
    const from = Number(form.get('NextToken') ?? 0);
    const next = from + size < found.length ? `<nextToken>${from + size}</nextToken>` : '';
    const items = found.slice(from, from + size).map(ruleXml);
    return answer(
      'DescribeSecurityGroupRules',
      `<securityGroupRuleSet>${items.join('')}</securityGroupRuleSet>${next}`,
    );
  }

  function describeGroups(form: URLSearchParams): FakeResponse {
    const known = new Set([...tags.keys(), ...[...rules.values()].map(({ groupId }) => groupId)]);
    const wanted = new Set(filters(form).flatMap(({ name, values }) => (name === 'group-id' ? values : [])));
    const items = [...known]
      .filter((groupId) => wanted.has(groupId))
      .map((groupId) => {
        const tagged = Object.entries(tags.get(groupId) ?? {}).map(
          ([key, value]) => `<item><key>${xml(key)}</key><value>${xml(value)}</value></item>`,
        );
        return `<item><groupId>${groupId}</groupId><tagSet>${tagged.join('')}</tagSet></item>`;
      });
    return answer('DescribeSecurityGroups', `<securityGroupInfo>${items.join('')}</securityGroupInfo>`);
  }

  function revoke(form: URLSearchParams): FakeResponse {
    const groupId = form.get('GroupId') ?? '';
    const ids = numbered(form, 'SecurityGroupRuleId');
    if (ids.length === 0) return refusal('MissingParameter', 'The request must name rules.');
    for (const id of ids)
      if (rules.get(id)?.groupId !== groupId || rules.get(id)?.egress === true)
        return refusal(
          'InvalidSecurityGroupRuleId.NotFound',
          `The security group rule ID '${id}' does not exist`,
        );
    for (const id of ids) rules.delete(id);
    revoked.push(...ids);
    return answer('RevokeSecurityGroupIngress', '<return>true</return>');
  }

  return {
    service: 'ec2',
    rules,
    tags,
    revoked,
    handle(request) {
      const form = new URLSearchParams(request.body.toString('utf8'));
      switch (form.get('Action')) {
        case 'DescribeSecurityGroupRules':
          return describeRules(form);
        case 'DescribeSecurityGroups':
          return describeGroups(form);
        case 'RevokeSecurityGroupIngress':
          return revoke(form);
        default:
          return undefined;
      }
    },
  };
}

export function filters(
  form: URLSearchParams,
): readonly { readonly name: string; readonly values: readonly string[] }[] {
  return Array.from({ length: 10 }, (_, index) => `Filter.${index + 1}`).flatMap((prefix) => {
    const name = form.get(`${prefix}.Name`);
    const values = numbered(form, `${prefix}.Value`);
    if (values.length > 200) throw new Error('a filter has at most 200 values');
    return name === null ? [] : [{ name, values }];
  });
}

export function numbered(form: URLSearchParams, name: string): readonly string[] {
  const values: string[] = [];
  for (let index = 1; ; index += 1) {
    const value = form.get(`${name}.${index}`);
    if (value === null) return values;
    values.push(value);
  }
}

function ruleXml(rule: FakeRule): string {
  const fields: Readonly<Record<string, string | number | boolean | undefined>> = {
    securityGroupRuleId: rule.ruleId,
    groupId: rule.groupId,
    groupOwnerId: '123456789012',
    isEgress: rule.egress ?? false,
    ipProtocol: rule.protocol ?? 'tcp',
    fromPort: rule.fromPort ?? -1,
    toPort: rule.toPort ?? -1,
    cidrIpv4: rule.cidrIpv4,
    cidrIpv6: rule.cidrIpv6,
    prefixListId: rule.prefixListId,
  };
  const written = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`<${name}>${xml(String(value))}</${name}>`],
  );
  return `<item>${written.join('')}</item>`;
}

/** An error as EC2 writes it. */
export function refusal(code: string, message: string, status = 400): FakeResponse {
  return {
    status,
    headers: { 'content-type': 'text/xml;charset=UTF-8' },
    body: `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>${code}</Code><Message>${xml(message)}</Message></Error></Errors><RequestID>r-1</RequestID></Response>`,
  };
}

export function answer(operation: string, content: string): FakeResponse {
  return {
    status: 200,
    headers: { 'content-type': 'text/xml;charset=UTF-8' },
    body: `<?xml version="1.0" encoding="UTF-8"?><${operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId>${content}</${operation}Response>`,
  };
}

export function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
