import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { entityKey, type ReadNames } from './policy-request.ts';

/** An entity a policy names in its text. */
export type NamedEntity = { readonly type: string; readonly id: string };

/** Which attributes and tags the conditions of a policy read, and which entities it names, from Cedar's JSON form of it. */
export function namesIn(policy: PolicyJson): ReadNames & { readonly named: readonly NamedEntity[] } {
  const found: Found = {
    attributes: new Set(),
    entities: new Set(),
    named: [],
    tags: false,
    wholeContext: false,
  };
  for (const condition of policy.conditions) walk(condition.body, found);
  for (const scope of [policy.principal, policy.action, policy.resource]) walkScope(scope, found);
  return found;
}

/** Whether a condition asks if the context has the attribute. */
export function testsContextFor(policy: PolicyJson, attribute: string): boolean {
  const tests = (node: unknown): boolean => {
    if (Array.isArray(node)) return node.some(tests);
    if (!isRecord(node)) return false;
    const { has } = node;
    if (isRecord(has) && isRecord(has['left']) && has['left']['Var'] === 'context')
      if ([has['attr']].flat()[0] === attribute) return true;
    return Object.values(node).some(tests);
  };
  return policy.conditions.some(({ body }) => tests(body));
}

/** What a number of policies read together. */
export function joinReadNames(all: readonly ReadNames[]): ReadNames {
  return {
    attributes: new Set(all.flatMap((names) => [...names.attributes])),
    entities: new Set(all.flatMap((names) => [...names.entities])),
    tags: all.some((names) => names.tags),
    wholeContext: all.some((names) => names.wholeContext),
  };
}

type Found = {
  readonly attributes: Set<string>;
  readonly entities: Set<string>;
  readonly named: NamedEntity[];
  tags: boolean;
  wholeContext: boolean;
};

/** One expression node: an object with the operator as its only key. What is not known is walked into, so as to miss nothing. */
function walk(node: unknown, found: Found): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, found);
    return;
  }
  if (!isRecord(node)) return;
  for (const [operator, operands] of Object.entries(node)) walkOperator(operator, operands, found);
}

function walkOperator(operator: string, operands: unknown, found: Found): void {
  switch (operator) {
    case 'Var':
      if (operands === 'context') found.wholeContext = true;
      return;
    case 'Value':
      walkLiteral(operands, found);
      return;
    case '.':
    case 'has':
      if (isRecord(operands)) walkAttribute(operands, found);
      return;
    case 'hasTag':
    case 'getTag':
      found.tags = true;
      break;
    default:
      break;
  }
  if (isRecord(operands)) for (const operand of Object.values(operands)) walk(operand, found);
  else walk(operands, found);
}

function walkAttribute(operands: Record<string, unknown>, found: Found): void {
  for (const name of [operands['attr']].flat()) if (typeof name === 'string') found.attributes.add(name);
  const left = operands['left'];
  if (isRecord(left) && left['Var'] === 'context') return;
  walk(left, found);
}

function walkLiteral(value: unknown, found: Found): void {
  if (Array.isArray(value)) {
    for (const item of value) walkLiteral(item, found);
    return;
  }
  if (!isRecord(value)) return;
  const entity = value['__entity'];
  if (isRecord(entity)) keepEntity(entity, found);
  else for (const item of Object.values(value)) walkLiteral(item, found);
}

function walkScope(scope: unknown, found: Found): void {
  if (Array.isArray(scope)) {
    for (const item of scope) walkScope(item, found);
    return;
  }
  if (!isRecord(scope)) return;
  keepEntity(scope, found);
  for (const part of Object.values(scope)) walkScope(part, found);
}

function keepEntity(candidate: Record<string, unknown>, found: Found): void {
  const { type, id } = candidate;
  if (typeof type !== 'string' || typeof id !== 'string') return;
  found.entities.add(entityKey(type, id));
  found.named.push({ type, id });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
