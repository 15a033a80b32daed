export type { Permission, Resources } from './permission.ts';
export { permissionsOf } from './permissions-of.ts';
export { automationRoleName, workloadRoleArn, workloadRoleName } from './role-names.ts';
