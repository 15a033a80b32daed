export {
  createSecurityGroups,
  SecurityGroupsError,
  type SecurityGroupsErrorCode,
} from './security-groups.ts';
