import {
  DescribeSecurityGroupRulesCommand,
  type DescribeSecurityGroupRulesCommandOutput,
  DescribeSecurityGroupsCommand,
  type EC2Client,
  type SecurityGroupRule as Ec2Rule,
  type Filter,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import type { RuleSelection, SecurityGroupRule, SecurityGroups } from '#core/exposure';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';

export type SecurityGroupsErrorCode = 'unreadable' | 'not-revoked';

export class SecurityGroupsError extends Error {
  override readonly name = 'SecurityGroupsError';
  readonly code: SecurityGroupsErrorCode;

  constructor(code: SecurityGroupsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const limits: AttemptLimits = { deadlineMs: 15_000, attemptMs: 6_000 };
const pageRules = 1000;
/** A filter has at most 200 values. */
const valuesPerCall = 200;
const managedTag = 'sshtrail:managed';
const notThere = new Set([
  'InvalidSecurityGroupRuleId.NotFound',
  'InvalidPermission.NotFound',
  'InvalidGroup.NotFound',
]);

/** Security groups of the client's region. The client is best with `maxAttempts: 1`: here it is tried again. @throws SecurityGroupsError */
export function createSecurityGroups(client: EC2Client): SecurityGroups {
  return {
    async *rules(which) {
      for (const filters of filtersOf(which)) yield* pages(client, filters);
    },
    async isManaged(groupId) {
      const { SecurityGroups: groups = [] } = await told('ec2:DescribeSecurityGroups', (abortSignal) =>
        client.send(
          new DescribeSecurityGroupsCommand({ Filters: [{ Name: 'group-id', Values: [groupId] }] }),
          { abortSignal },
        ),
      );
      const tags = groups.find(({ GroupId }) => GroupId === groupId)?.Tags ?? [];
      return tags.some(({ Key, Value }) => Key === managedTag && Value === 'true');
    },
    async revoke(groupId, ruleId) {
      try {
        await attempt(limits, (abortSignal) =>
          client.send(
            new RevokeSecurityGroupIngressCommand({ GroupId: groupId, SecurityGroupRuleIds: [ruleId] }),
            { abortSignal },
          ),
        );
        return 'revoked';
      } catch (cause) {
        if (cause instanceof Error && notThere.has(cause.name)) return 'gone';
        const action = `ec2:RevokeSecurityGroupIngress on groups tagged ${managedTag}=true`;
        throw new SecurityGroupsError(
          'not-revoked',
          `the rule ${ruleId} of ${groupId} could not be taken back: ${awsFaultWords('EC2', action, cause)}`,
          { cause },
        );
      }
    },
  };
}

/** Filters and not ids, since a call with the id of a rule that is gone fails. */
function filtersOf(which: RuleSelection): readonly (readonly Filter[])[] {
  if (which.kind === 'all') return [[]];
  const name = which.kind === 'rules' ? 'security-group-rule-id' : 'group-id';
  const filters: (readonly Filter[])[] = [];
  for (let from = 0; from < which.ids.length; from += valuesPerCall)
    filters.push([{ Name: name, Values: which.ids.slice(from, from + valuesPerCall) }]);
  return filters;
}

async function* pages(
  client: EC2Client,
  filters: readonly Filter[],
): AsyncGenerator<readonly SecurityGroupRule[]> {
  let token: string | undefined;
  do {
    const command = new DescribeSecurityGroupRulesCommand({
      ...(filters.length === 0 ? {} : { Filters: [...filters] }),
      MaxResults: pageRules,
      NextToken: token,
    });
    const page: DescribeSecurityGroupRulesCommandOutput = await told(
      'ec2:DescribeSecurityGroupRules',
      (abortSignal) => client.send(command, { abortSignal }),
    );
    yield (page.SecurityGroupRules ?? []).flatMap(ruleOf);
    token = page.NextToken === '' ? undefined : page.NextToken;
  } while (token !== undefined);
}

function ruleOf(rule: Ec2Rule): readonly SecurityGroupRule[] {
  const { SecurityGroupRuleId: ruleId, GroupId: groupId } = rule;
  if (ruleId === undefined || groupId === undefined) return [];
  return [
    {
      ruleId,
      groupId,
      egress: rule.IsEgress ?? false,
      protocol: rule.IpProtocol ?? '-1',
      fromPort: rule.FromPort,
      toPort: rule.ToPort,
      cidr: rule.CidrIpv4 ?? rule.CidrIpv6,
      prefixListId: rule.PrefixListId,
    },
  ];
}

async function told<Result>(action: string, call: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  try {
    return await attempt(limits, call);
  } catch (cause) {
    throw new SecurityGroupsError(
      'unreadable',
      `security groups could not be read: ${awsFaultWords('EC2', action, cause)}`,
      { cause },
    );
  }
}
