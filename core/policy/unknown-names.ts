import { closestName, printable } from '../wording/index.ts';
import type { PolicyProblem, PolicySet } from './load-policy.ts';
import { auditTrail, hostGroups } from './policy-request.ts';

/**
 * Users, groups, hosts and labels that a policy names and nobody has. Cedar cannot see these mistakes: a forbid for
 * HostGroup::"env=prd" is valid and protects nothing.
 */
export function unknownNames(
  policy: PolicySet,
  identities: readonly { readonly name: string; readonly groups: readonly string[] }[],
  targets: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>> }[],
): readonly PolicyProblem[] {
  const known = new Map([
    ['User', new Set(identities.map((identity) => identity.name))],
    ['Group', new Set(identities.flatMap((identity) => identity.groups))],
    ['Host', new Set(targets.map((target) => target.name))],
    ['System', new Set([auditTrail.target.name])],
    ['HostGroup', new Set(targets.flatMap((target) => hostGroups(target.labels)))],
  ]);
  const problems: PolicyProblem[] = [];
  for (const { file, id: policyId, line, names } of policy.policies) {
    const unknown = new Map(
      names.named
        .filter(({ type, id }) => known.get(type)?.has(id) === false)
        .map((entity) => [`${entity.type}::${entity.id}`, entity]),
    );
    for (const { id, type } of unknown.values()) {
      const meant = closestName(id, known.get(type) ?? []);
      problems.push({
        file,
        line,
        column: 1,
        message: `policy "${policyId}" names ${type}::"${printable(id)}", which the configuration does not have`,
        fix:
          meant === undefined
            ? 'add it to the configuration or take it out'
            : `did you mean "${printable(meant)}"?`,
      });
    }
  }
  return problems;
}
