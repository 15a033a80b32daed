import type {
  ActionConstraint,
  EntityUidJson,
  PrincipalConstraint,
  ResourceConstraint,
} from '@cedar-policy/cedar-wasm/nodejs';
import { entityKey } from './policy-request.ts';

/** Whether the action part of a scope covers one of the actions or groups, written as `entityKey` does. */
export function coversAction(scope: ActionConstraint, actions: ReadonlySet<string>): boolean {
  if (scope.op === 'All') return true;
  if ('entities' in scope) return scope.entities.some((entity) => actions.has(keyOf(entity)));
  return !('entity' in scope) || actions.has(keyOf(scope.entity));
}

/** A form of scope that is not known counts as covering: Cedar then decides. */
export function coversEntity(
  scope: PrincipalConstraint | ResourceConstraint,
  type: string,
  entities: ReadonlySet<string>,
): boolean {
  if (scope.op === 'All') return true;
  if (scope.op !== 'is') return !('entity' in scope) || entities.has(keyOf(scope.entity));
  if (scope.entity_type !== type) return false;
  return scope.in === undefined || !('entity' in scope.in) || entities.has(keyOf(scope.in.entity));
}

function keyOf(entity: EntityUidJson): string {
  const { type, id } = '__entity' in entity ? entity.__entity : entity;
  return entityKey(type, id);
}
