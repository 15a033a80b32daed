import { preparsePolicySet } from '@cedar-policy/cedar-wasm/nodejs';
import type { LoadedPolicy, PolicySet } from './load-policy.ts';
import {
  actionGroup,
  entityKey,
  hostGroups,
  type PolicyRequest,
  type ReadNames,
  resourceType,
} from './policy-request.ts';
import { joinReadNames } from './read-names.ts';
import { coversAction, coversEntity } from './scope.ts';

/**
 * The policies whose scope (the part in parentheses) covers a request, parsed and ready. Cedar looks at a condition only
 * where the scope holds, so that the others can neither decide nor fail; leaving them out is what keeps an answer fast.
 */
export type PolicySlice = {
  readonly cedarName: string;
  /** Never given to another slice, unlike Cedar's name of it. */
  readonly serial: number;
  readonly read: ReadNames;
};

/** The slice for a request; undefined when Cedar would not parse it again, which counts as unavailable. */
export function sliceFor(policy: PolicySet, request: PolicyRequest): PolicySlice | undefined {
  const { key, policies } = coverageOf(policy, request);
  return parsedSlice(key, policies);
}

/** The policies whose scope covers the request. */
export function coveringPolicies(policy: PolicySet, request: PolicyRequest): readonly LoadedPolicy[] {
  return coverageOf(policy, request).policies;
}

type Coverage = { readonly policies: readonly LoadedPolicy[]; readonly key: string };

/** What covers requests about the same of those names that scopes have; other names cannot matter to a scope. */
type KnownCoverage = {
  readonly named: ReadonlySet<string>;
  readonly coverage: Map<string, Coverage>;
};
const known = new WeakMap<PolicySet, KnownCoverage>();
const maxCoverage = 4096;

function coverageOf(policy: PolicySet, request: PolicyRequest): Coverage {
  let ofPolicy = known.get(policy);
  if (ofPolicy === undefined) {
    ofPolicy = {
      named: new Set(policy.policies.flatMap(({ names }) => [...names.entities])),
      coverage: new Map(),
    };
    known.set(policy, ofPolicy);
  }
  const { named, coverage } = ofPolicy;
  const names = scopeNames(request, named);
  const question = JSON.stringify([
    request.action.kind,
    names.resourceType,
    ...names.principals,
    '',
    ...names.resources,
  ]);
  const there = coverage.get(question);
  if (there !== undefined) return there;
  const policies: LoadedPolicy[] = [];
  let key = policy.version;
  for (const [index, candidate] of policy.policies.entries()) {
    if (!covers(candidate, names)) continue;
    policies.push(candidate);
    key += `,${index}`;
  }
  const [oldest] = coverage.keys();
  if (coverage.size >= maxCoverage && oldest !== undefined) coverage.delete(oldest);
  coverage.set(question, { policies, key });
  return { policies, key };
}

function scopeNames(request: PolicyRequest, named: ReadonlySet<string>): ScopeNames {
  const { identity, target, action } = request;
  const type = resourceType(action);
  const those = (names: readonly string[]) => new Set(names.filter((name) => named.has(name)));
  return {
    principals: those([
      entityKey('User', identity.name),
      ...identity.groups.map((group) => entityKey('Group', group)),
    ]),
    actions: new Set([entityKey('Action', action.kind), entityKey('Action', actionGroup(action.kind) ?? '')]),
    resourceType: type,
    resources: those([
      entityKey(type, target.name),
      ...hostGroups(target.labels).map((group) => entityKey('HostGroup', group)),
    ]),
  };
}

type ScopeNames = {
  readonly principals: ReadonlySet<string>;
  readonly actions: ReadonlySet<string>;
  readonly resourceType: string;
  readonly resources: ReadonlySet<string>;
};

function covers(policy: LoadedPolicy, names: ScopeNames): boolean {
  const { principal, action, resource } = policy.cedar;
  return (
    coversAction(action, names.actions) &&
    coversEntity(principal, 'User', names.principals) &&
    coversEntity(resource, names.resourceType, names.resources)
  );
}

/** Slices in the order of their last use. Cedar keeps what it parsed under a name for ever, so the names are few and used again. */
const slices = new Map<string, PolicySlice>();
let serials = 0;
const freeNames = Array.from({ length: 1024 }, (_, index) => `slice-${index}`);

function parsedSlice(key: string, policies: readonly LoadedPolicy[]): PolicySlice | undefined {
  const known = slices.get(key);
  if (known !== undefined) {
    slices.delete(key);
    slices.set(key, known);
    return known;
  }
  const [oldest] = slices;
  if (freeNames.length === 0 && oldest !== undefined) {
    slices.delete(oldest[0]);
    freeNames.push(oldest[1].cedarName);
  }
  const cedarName = freeNames.pop();
  if (cedarName === undefined) return undefined;
  const answer = preparsePolicySet(cedarName, {
    staticPolicies: Object.fromEntries(policies.map((policy) => [policy.id, policy.text])),
  });
  if (answer.type === 'failure') {
    freeNames.push(cedarName);
    return undefined;
  }
  serials += 1;
  const slice = {
    cedarName,
    serial: serials,
    read: joinReadNames(policies.map((policy) => policy.names)),
  };
  slices.set(key, slice);
  return slice;
}
