export {
  type ExposedRule,
  exposedRules,
  rulesOfCloudTrail,
  type SecurityGroupRule,
} from './exposed-rules.ts';
