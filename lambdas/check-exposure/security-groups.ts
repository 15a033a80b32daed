import {
  DescribeSecurityGroupRulesCommand,
  type DescribeSecurityGroupRulesCommandInput,
  DescribeSecurityGroupsCommand,
  type EC2Client,
  type SecurityGroupRule as Ec2Rule,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import type { SecurityGroupRule } from '#core/exposure';
import type { SecurityGroups } from './check-exposure.ts';

const pageRules = 1000;
const idsPerCall = 200;
const managedTag = 'sshtrail:managed';

/** Security groups as EC2 has them now. */
export function liveSecurityGroups(client: EC2Client): SecurityGroups {
  async function pages(input: DescribeSecurityGroupRulesCommandInput): Promise<readonly SecurityGroupRule[]> {
    const rules: SecurityGroupRule[] = [];
    let token: string | undefined;
    do {
      const page = await client.send(
        new DescribeSecurityGroupRulesCommand({ ...input, MaxResults: pageRules, NextToken: token }),
      );
      rules.push(...(page.SecurityGroupRules ?? []).map(ruleOf));
      token = page.NextToken === '' ? undefined : page.NextToken;
    } while (token !== undefined);
    return rules;
  }

  return {
    async rules(ids) {
      if (ids === undefined) return pages({});
      const found: SecurityGroupRule[] = [];
      for (let from = 0; from < ids.length; from += idsPerCall)
        // A filter and not SecurityGroupRuleIds, which fails where one of them is gone.
        found.push(
          ...(await pages({
            Filters: [{ Name: 'security-group-rule-id', Values: ids.slice(from, from + idsPerCall) }],
          })),
        );
      return found;
    },
    async isManaged(groupId) {
      const { SecurityGroups: [group] = [] } = await client.send(
        new DescribeSecurityGroupsCommand({ Filters: [{ Name: 'group-id', Values: [groupId] }] }),
      );
      return group?.Tags?.some(({ Key, Value }) => Key === managedTag && Value === 'true') ?? false;
    },
    async revoke(groupId, ruleId) {
      try {
        await client.send(
          new RevokeSecurityGroupIngressCommand({ GroupId: groupId, SecurityGroupRuleIds: [ruleId] }),
        );
        return true;
      } catch (error) {
        // Somebody else was quicker.
        if (
          error instanceof Error &&
          /^InvalidSecurityGroupRuleId\.NotFound$|^InvalidPermission\.NotFound$/.test(error.name)
        )
          return false;
        throw error;
      }
    },
  };
}

function ruleOf(rule: Ec2Rule): SecurityGroupRule {
  return {
    ruleId: rule.SecurityGroupRuleId ?? '',
    groupId: rule.GroupId ?? '',
    egress: rule.IsEgress ?? false,
    protocol: rule.IpProtocol ?? '',
    fromPort: rule.FromPort,
    toPort: rule.ToPort,
    cidr: rule.CidrIpv4 ?? rule.CidrIpv6,
  };
}
