import { z } from 'zod';

/** One ingress or egress rule, as DescribeSecurityGroupRules and CloudTrail's responseElements have it. */
export type SecurityGroupRule = {
  readonly ruleId: string;
  readonly groupId: string;
  readonly egress: boolean;
  /** `tcp`, `6`, `-1` for all, ... */
  readonly protocol: string;
  /** -1 or absent: all ports. */
  readonly fromPort?: number | undefined;
  readonly toPort?: number | undefined;
  readonly cidr?: string | undefined;
};

export type ExposedRule = SecurityGroupRule & { readonly cidr: string };

/** All addresses, or half of them: two halves are the same as all, and each is found by itself. */
const everywhere: readonly string[] = ['0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1', '::/0', '::/1', '8000::/1'];

/** The rules that let the whole internet reach a TCP port. Rules over prefix lists and groups are not judged. */
export function exposedRules(
  rules: readonly SecurityGroupRule[],
  options: { readonly port: number; readonly allowedGroups: readonly string[] },
): readonly ExposedRule[] {
  return rules.flatMap((rule) => {
    const { cidr } = rule;
    return cidr !== undefined &&
      !rule.egress &&
      everywhere.includes(cidr) &&
      reaches(rule, options.port) &&
      !options.allowedGroups.includes(rule.groupId)
      ? [{ ...rule, cidr }]
      : [];
  });
}

function reaches({ protocol, fromPort = -1, toPort = -1 }: SecurityGroupRule, port: number): boolean {
  if (protocol === '-1') return true;
  if (protocol !== 'tcp' && protocol !== '6') return false;
  return (fromPort === -1 && toPort === -1) || (fromPort <= port && port <= toPort);
}

const flag = z.union([z.boolean(), z.string()]).transform((value) => value === true || value === 'true');
const port = z.union([z.number(), z.string().regex(/^-?\d{1,5}$/)]).transform(Number);
const item = z.looseObject({
  groupId: z.string().regex(/^sg-[0-9a-f]{8,17}$/),
  securityGroupRuleId: z.string().regex(/^sgr-[0-9a-f]{8,17}$/),
  isEgress: flag.default(false),
  ipProtocol: z.union([z.string(), z.number()]).transform(String),
  fromPort: port.optional(),
  toPort: port.optional(),
  cidrIpv4: z.string().optional(),
  cidrIpv6: z.string().optional(),
});
const event = z.looseObject({
  eventSource: z.literal('ec2.amazonaws.com'),
  eventName: z.string(),
  errorCode: z.string().nullish(),
  responseElements: z
    .looseObject({
      securityGroupRuleSet: z.looseObject({ items: z.array(z.unknown()).max(1000) }).optional(),
    })
    .nullish(),
});

/**
 * The rules that a management event made, from responseElements: requestParameters of the old request form leave out what was made. Undefined
 * where this is no such event. A call that failed, and one whose answer names no rules (ModifySecurityGroupRules), made none.
 */
export function rulesOfCloudTrail(detail: unknown): readonly SecurityGroupRule[] | undefined {
  const parsed = event.safeParse(detail);
  if (!parsed.success) return undefined;
  const { errorCode, responseElements } = parsed.data;
  if (errorCode !== undefined && errorCode !== null) return [];
  return (responseElements?.securityGroupRuleSet?.items ?? []).flatMap((each) => {
    const read = item.safeParse(each);
    if (!read.success) return [];
    const { groupId, securityGroupRuleId, isEgress, ipProtocol, fromPort, toPort, cidrIpv4, cidrIpv6 } =
      read.data;
    return [
      {
        ruleId: securityGroupRuleId,
        groupId,
        egress: isEgress,
        protocol: ipProtocol,
        fromPort,
        toPort,
        cidr: cidrIpv4 ?? cidrIpv6,
      },
    ];
  });
}
