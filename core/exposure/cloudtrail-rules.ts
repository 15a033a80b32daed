import { z } from 'zod';
import type { SecurityGroupRule } from './exposed-rules.ts';

/** What a management event of EC2 says about rules of security groups. */
export type RuleChange = {
  /** The ARN of who did it, `unknown` where the event does not say. */
  readonly actor: string;
  /** What the rules were when they were made. Empty where the call failed, or its answer does not say. */
  readonly made: readonly SecurityGroupRule[];
  /** Rules that were made or changed: which to look at. */
  readonly ruleIds: readonly string[];
  /** Groups whose rules were changed where the rules are not named. */
  readonly groupIds: readonly string[];
};

const maxItems = 1000;
const maxActor = 512;

/** Booleans and numbers are texts in some events. */
const flag = z.union([z.boolean(), z.string()]).transform((value) => value === true || value === 'true');
const port = z.union([z.int(), z.string().regex(/^-?[0-9]{1,5}$/)]).transform(Number);
const groupId = z.string().regex(/^sg-[0-9a-f]{8,17}$/);
const ruleId = z.string().regex(/^sgr-[0-9a-f]{8,17}$/);
const maybe = <Shape extends z.ZodType>(shape: Shape) => shape.optional().catch(undefined);

const item = z.object({
  groupId,
  securityGroupRuleId: ruleId,
  isEgress: flag.default(false),
  ipProtocol: z.union([z.string(), z.int()]).transform(String),
  fromPort: maybe(port),
  toPort: maybe(port),
  cidrIpv4: maybe(z.string()),
  cidrIpv6: maybe(z.string()),
  prefixListId: maybe(z.string()),
});
const modified = z.object({ SecurityGroupRuleId: ruleId });
const change = z.object({
  eventSource: z.literal('ec2.amazonaws.com'),
  eventName: z.enum(['AuthorizeSecurityGroupIngress', 'ModifySecurityGroupRules']),
  errorCode: z.string().nullish(),
  userIdentity: maybe(z.object({ arn: z.string() })),
  requestParameters: maybe(
    z.object({
      groupId: maybe(groupId),
      ModifySecurityGroupRulesRequest: maybe(
        z.object({
          GroupId: maybe(groupId),
          SecurityGroupRule: maybe(z.union([modified.transform((one) => [one]), z.array(modified)])),
        }),
      ),
    }),
  ),
  responseElements: maybe(
    z.object({
      securityGroupRuleSet: maybe(z.object({ items: z.array(z.unknown()).max(maxItems) })),
    }),
  ),
});

/**
 * Reads a CloudTrail record. What was made stands in responseElements: the request's older form leaves it out of requestParameters, and
 * ModifySecurityGroupRules has it in the request alone. Undefined where the record is none of these.
 */
export function readRuleChange(detail: unknown): RuleChange | undefined {
  const parsed = change.safeParse(detail);
  if (!parsed.success) return undefined;
  const { errorCode, userIdentity, requestParameters, responseElements } = parsed.data;
  const actor = (userIdentity?.arn ?? 'unknown').slice(0, maxActor);
  if (errorCode !== undefined && errorCode !== null) return { actor, made: [], ruleIds: [], groupIds: [] };
  const made = (responseElements?.securityGroupRuleSet?.items ?? []).flatMap(ruleOf);
  const request = requestParameters?.ModifySecurityGroupRulesRequest;
  const changed = (request?.SecurityGroupRule ?? []).map(({ SecurityGroupRuleId }) => SecurityGroupRuleId);
  const ruleIds = [...new Set([...made.map((rule) => rule.ruleId), ...changed])].slice(0, maxItems);
  const groups = [requestParameters?.groupId, request?.GroupId].flatMap((id) => id ?? []);
  return { actor, made, ruleIds, groupIds: ruleIds.length === 0 ? [...new Set(groups)] : [] };
}

function ruleOf(given: unknown): readonly SecurityGroupRule[] {
  const read = item.safeParse(given);
  if (!read.success) return [];
  const { securityGroupRuleId, isEgress, ipProtocol, cidrIpv4, cidrIpv6, ...rest } = read.data;
  return [
    {
      ...rest,
      ruleId: securityGroupRuleId,
      egress: isEgress,
      protocol: ipProtocol,
      cidr: cidrIpv4 ?? cidrIpv6,
    },
  ];
}
