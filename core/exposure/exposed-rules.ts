/** One rule of a security group, as DescribeSecurityGroupRules and CloudTrail's responseElements have it. */
export type SecurityGroupRule = {
  readonly ruleId: string;
  readonly groupId: string;
  readonly egress: boolean;
  /** `tcp`, `6`, `-1` for all, ... */
  readonly protocol: string;
  /** -1 or absent: all ports. */
  readonly fromPort?: number | undefined;
  readonly toPort?: number | undefined;
  /** Where it lets in addresses: IPv4 or IPv6, with a prefix length. */
  readonly cidr?: string | undefined;
  /** Where it lets in what a prefix list names. */
  readonly prefixListId?: string | undefined;
};

export type ExposedRule = SecurityGroupRule & { readonly cidr: string };

/** Live state of security groups. */
export type SecurityGroups = {
  /** Page by page, the rules of which are there now: with these ids, of these groups, or all. */
  rules(which: RuleSelection): AsyncIterable<readonly SecurityGroupRule[]>;
  /** Whether the group is tagged `sshtrail:managed=true`. */
  isManaged(groupId: string): Promise<boolean>;
  /** Takes back exactly that ingress rule; `gone` where it was not there any more. */
  revoke(groupId: string, ruleId: string): Promise<'revoked' | 'gone'>;
};

export type RuleSelection =
  | { readonly kind: 'all' }
  | { readonly kind: 'rules' | 'groups'; readonly ids: readonly string[] };

export type Exposure = {
  /** Rules by which the whole internet, or so much of it that nobody owns it, reaches the port. */
  readonly open: readonly ExposedRule[];
  /** Rules over prefix lists: what these hold is not looked at. */
  readonly unknown: readonly SecurityGroupRule[];
};

/** A block that is wider than the /8 which is the most that anybody was given at once is nobody's. */
const narrowestOpenIpv4 = 7;
/** Of IPv6 nobody was given more than a /16. */
const narrowestOpenIpv6 = 15;

/**
 * Judges which rules let the world in to a TCP port. Each rule is judged by itself: the halves 0.0.0.0/1 and 128.0.0.0/1 are open, each, and so
 * is every block that is wider than any network. Weakness: many narrower blocks of one group are not added up.
 */
export function exposedRules(
  rules: readonly SecurityGroupRule[],
  options: { readonly port: number; readonly allowedGroups: readonly string[] },
): Exposure {
  const reaching = rules.filter(
    (rule) =>
      !rule.egress && !options.allowedGroups.includes(rule.groupId) && reachesPort(rule, options.port),
  );
  return {
    open: reaching.flatMap((rule) =>
      rule.cidr !== undefined && isWorldwide(rule.cidr) ? [{ ...rule, cidr: rule.cidr }] : [],
    ),
    unknown: reaching.filter(({ prefixListId }) => prefixListId !== undefined),
  };
}

/** A bound that is missing is no bound. */
function reachesPort({ protocol, fromPort = -1, toPort = -1 }: SecurityGroupRule, port: number): boolean {
  if (protocol === '-1') return true;
  if (protocol !== 'tcp' && protocol !== '6') return false;
  return (fromPort === -1 || fromPort <= port) && (toPort === -1 || port <= toPort);
}

/** What cannot be read as a block lets nobody in, since EC2 gives none such. */
function isWorldwide(cidr: string): boolean {
  const [, address = '', bits = ''] = /^([0-9a-f.:]+)\/([0-9]{1,3})$/i.exec(cidr) ?? [];
  const length = Number(bits);
  if (bits === '') return false;
  if (!address.includes(':')) return length <= narrowestOpenIpv4;
  return length <= narrowestOpenIpv6 && meetsGlobalUnicast(address, length);
}

/** 2000::/3 is all that the internet uses (RFC 4291 §2.4); fc00::/7 and fe80::/10 are as wide and reach nobody. */
function meetsGlobalUnicast(address: string, length: number): boolean {
  const first = Number.parseInt(/^[0-9a-f]{1,4}/i.exec(address)?.[0] ?? '0', 16);
  const shared = 16 - Math.min(length, 3);
  return first >> shared === 0x2000 >> shared;
}
