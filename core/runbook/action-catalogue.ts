/** automatic: reversible or cheap, narrow, live state re-read. approval: touches a person's work or a shared resource. never: destroys evidence or the way back in. */
export type ActionClass = 'automatic' | 'approval' | 'never';

/** Every action a runbook may speak of, with its class. What is not in here counts as `never`. */
const actionClasses: Readonly<Record<string, ActionClass>> = {
  'evidence.snapshot': 'automatic',
  'recording.bookmark': 'automatic',
  'recording.hold': 'automatic',
  notify: 'automatic',
  'ticket.open': 'automatic',
  'report.write': 'automatic',
  'session.revoke': 'automatic',
  'session.freeze': 'automatic',
  'session.throttle': 'automatic',
  'principal.requireStepUp': 'automatic',
  'source.block': 'automatic',
  'forward.close': 'automatic',
  'sg.revokeRule': 'automatic',
  'principal.capSessions': 'approval',
  'principal.lock': 'approval',
  'principal.unlock': 'approval',
  'source.unblock': 'approval',
  'grant.suspend': 'approval',
  'grant.revoke': 'approval',
  'key.revoke': 'approval',
  'proxy.failClosed': 'approval',
  'target.quarantine': 'approval',
  'target.terminate': 'never',
  'recording.delete': 'never',
  'log.delete': 'never',
  'key.delete': 'never',
  'ca.rotate': 'never',
  'breakGlass.disable': 'never',
  'retention.change': 'never',
};

/** Actions this version can take; the only ones a runbook may name. */
export const availableActions = [
  'evidence.snapshot',
  'session.revoke',
  'source.block',
  'principal.lock',
  'key.revoke',
  'notify',
] as const;
export type ActionName = (typeof availableActions)[number];

/** Actions that are locks: the finding's column that says whom, and the lock's field. */
export const lockingActions = {
  'source.block': { column: 'source_ip', field: 'source' },
  'principal.lock': { column: 'user_name', field: 'identity' },
  'key.revoke': { column: 'key_fingerprint', field: 'keyFingerprint' },
} as const satisfies {
  readonly [Action in ActionName]?: { readonly column: string; readonly field: string };
};
export type LockingAction = keyof typeof lockingActions;

export function isLockingAction(action: string): action is LockingAction {
  return Object.hasOwn(lockingActions, action);
}

/** A lock that nobody was asked for ends by itself within this. */
export const maxUnaskedLockMs = 86_400_000;

/** Actions that change something outside the audit trail; each needs a limit, and a look at live state where there is something to look at. */
export const containingActions: readonly string[] = [
  'session.revoke',
  'session.freeze',
  'source.block',
  'principal.lock',
  'key.revoke',
  'sg.revokeRule',
];

export function actionClass(action: string): ActionClass {
  return Object.hasOwn(actionClasses, action) ? (actionClasses[action] ?? 'never') : 'never';
}

/** Why a runbook may not name it, or undefined when it may. */
export function actionProblem(action: string): string | undefined {
  if (availableActions.some((name) => name === action)) return undefined;
  const available = availableActions.join(', ');
  if (!Object.hasOwn(actionClasses, action))
    return `${JSON.stringify(action)} is not an action; use one of ${available}`;
  if (actionClass(action) === 'never')
    return `${action} is never done by a runbook, since it destroys evidence or the way back in; use one of ${available}`;
  return `${action} is not available in this version; use one of ${available}`;
}
