import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exposedRules, readRuleChange, type SecurityGroupRule } from '../../../core/exposure/index.ts';

const ssh: SecurityGroupRule = {
  ruleId: 'sgr-0123456789abcdef0',
  groupId: 'sg-0123456789abcdef0',
  egress: false,
  protocol: 'tcp',
  fromPort: 22,
  toPort: 22,
  cidr: '0.0.0.0/0',
};
const options = { port: 22, allowedGroups: ['sg-00000000000000a11'] };

describe('port 22 is open to the world', () => {
  it.each<[string, Partial<SecurityGroupRule>]>([
    ['by itself, over IPv4', {}],
    ['by itself, over IPv6', { cidr: '::/0' }],
    ['in a range that holds it', { fromPort: 0, toPort: 65_535, cidr: '::/0' }],
    ['in a range that ends with it', { fromPort: 20 }],
    ['with all protocols, which have no ports', { protocol: '-1', fromPort: -1, toPort: -1 }],
    ['with all protocols and ports that mean nothing', { protocol: '-1', fromPort: 443, toPort: 443 }],
    ['by the number of the protocol', { protocol: '6' }],
    ['where no port is said', { fromPort: undefined, toPort: undefined }],
    ['to the lower half', { cidr: '0.0.0.0/1' }],
    ['to the upper half', { cidr: '128.0.0.0/1' }],
    ['to an eighth', { cidr: '32.0.0.0/3' }],
    ['to twice what anybody has', { cidr: '2.0.0.0/7' }],
    ['to the lower half of IPv6, where all of the internet is', { cidr: '::/1' }],
    ['to all that IPv6 uses', { cidr: '2000::/3' }],
    ['to the region of a registry', { cidr: '2A00::/12' }],
  ])('%s', (_, changes) => {
    const rule = { ...ssh, ...changes };

    expect(exposedRules([rule], options)).toEqual({ open: [rule], unknown: [] });
  });

  it('by each of the two halves', () => {
    const halves = ['0.0.0.0/1', '128.0.0.0/1'].map((cidr) => ({ ...ssh, cidr }));

    expect(exposedRules(halves, options).open).toEqual(halves);
  });
});

describe('port 22 is not open to the world', () => {
  it.each<[string, Partial<SecurityGroupRule>]>([
    ['by another port', { fromPort: 443, toPort: 443 }],
    ['by a range beside it', { fromPort: 23, toPort: 65_535 }],
    ['by another protocol', { protocol: 'udp' }],
    ['by icmp, whose ports are types', { protocol: 'icmp', fromPort: -1, toPort: -1 }],
    ['by egress', { egress: true }],
    ['to a private network', { cidr: '10.0.0.0/8' }],
    ['to an office', { cidr: '203.0.113.0/24' }],
    ['to unique local addresses', { cidr: 'fc00::/7' }],
    ['to link-local addresses', { cidr: 'fe80::/10' }],
    ['to what a provider has', { cidr: '2001:db8::/32' }],
    ['to another group', { cidr: undefined }],
    ['where it is meant', { groupId: 'sg-00000000000000a11' }],
    ['by what is no block', { cidr: '0.0.0.0' }],
    ['by text', { cidr: 'anywhere/0' }],
  ])('%s', (_, changes) => {
    expect(exposedRules([{ ...ssh, ...changes }], options)).toEqual({ open: [], unknown: [] });
  });

  it('as far as is known, by a prefix list, which is said', () => {
    const rule = { ...ssh, cidr: undefined, prefixListId: 'pl-0123456789abcdef0' };

    expect(exposedRules([rule], options)).toEqual({ open: [], unknown: [rule] });
  });

  it('whatever the texts of a rule are', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (protocol, cidr) => {
        const { open } = exposedRules([{ ...ssh, protocol: `x${protocol}`, cidr }], options);
        expect(open).toEqual([]);
      }),
    );
  });
});

const made = {
  groupOwnerId: '123456789012',
  groupId: ssh.groupId,
  securityGroupRuleId: ssh.ruleId,
  isEgress: false,
  ipProtocol: 'tcp',
  fromPort: 22,
  toPort: 22,
  cidrIpv4: '0.0.0.0/0',
};
const event = {
  eventSource: 'ec2.amazonaws.com',
  eventName: 'AuthorizeSecurityGroupIngress',
  userIdentity: { type: 'IAMUser', arn: 'arn:aws:iam::123456789012:user/mallory' },
  requestParameters: { groupId: ssh.groupId, ipPermissions: {} },
  responseElements: { requestId: 'r', _return: true, securityGroupRuleSet: { items: [made] } },
};

describe('a management event', () => {
  it('says in its answer what was made, also by a request of the old form', () => {
    expect(readRuleChange(event)).toEqual({
      actor: 'arn:aws:iam::123456789012:user/mallory',
      made: [ssh],
      ruleIds: [ssh.ruleId],
      groupIds: [],
    });
  });

  it.each([
    ['a range over IPv6', { fromPort: 0, toPort: 65_535, cidrIpv4: undefined, cidrIpv6: '::/0' }, 1],
    ['all protocols', { ipProtocol: '-1', fromPort: -1, toPort: -1 }, 1],
    ['all protocols as numbers', { ipProtocol: -1, fromPort: undefined, toPort: undefined }, 1],
    ['numbers as texts', { fromPort: '22', toPort: '22', isEgress: 'false' }, 1],
    ['egress as text', { isEgress: 'true' }, 0],
    ['another port', { fromPort: 443, toPort: 443 }, 0],
    ['a network of ours', { cidrIpv4: '10.0.0.0/8' }, 0],
  ])('of %s is judged as its rule is', (_, changes, count) => {
    const responseElements = { securityGroupRuleSet: { items: [{ ...made, ...changes }] } };

    const change = readRuleChange({ ...event, responseElements });

    expect(exposedRules(change?.made ?? [], options).open).toHaveLength(count);
  });

  it('of a call that failed made nothing', () => {
    expect(readRuleChange({ ...event, errorCode: 'Client.UnauthorizedOperation' })).toMatchObject({
      made: [],
      ruleIds: [],
      groupIds: [],
    });
  });

  it('names the rules that were changed', () => {
    const change = (SecurityGroupRule: unknown) =>
      readRuleChange({
        ...event,
        eventName: 'ModifySecurityGroupRules',
        requestParameters: {
          ModifySecurityGroupRulesRequest: { GroupId: ssh.groupId, SecurityGroupRule },
        },
        responseElements: { _return: true },
      });
    const rule = { SecurityGroupRuleId: ssh.ruleId, tag: 1, SecurityGroupRule: { CidrIpv4: '0.0.0.0/0' } };

    expect(change(rule)).toMatchObject({ made: [], ruleIds: [ssh.ruleId], groupIds: [] });
    expect(change([rule, rule])).toMatchObject({ ruleIds: [ssh.ruleId] });
    expect(change('?')).toMatchObject({ ruleIds: [], groupIds: [ssh.groupId] });
  });

  it('names the group where its answer names no rules', () => {
    expect(readRuleChange({ ...event, responseElements: null })).toMatchObject({
      made: [],
      ruleIds: [],
      groupIds: [ssh.groupId],
    });
  });

  it.each([
    ['of another service', { ...event, eventSource: 'iam.amazonaws.com' }],
    ['of another call', { ...event, eventName: 'DeleteSecurityGroup' }],
    ['of no form', 'text'],
    ['that is nothing', undefined],
  ])('%s is none', (_, detail) => {
    expect(readRuleChange(detail)).toBeUndefined();
  });

  it('with items of another form leaves those out', () => {
    const items = [null, 'text', { ...made, groupId: 'sg-1; rm -rf /' }, made];

    expect(readRuleChange({ ...event, responseElements: { securityGroupRuleSet: { items } } })?.made).toEqual(
      [ssh],
    );
  });

  it('is read whatever it holds', () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 4 }), fc.jsonValue(), (some, other) => {
        const change = readRuleChange({ ...event, requestParameters: some, responseElements: other });
        expect(change?.made).toEqual([]);
      }),
    );
  });
});
