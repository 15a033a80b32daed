export { type RuleChange, readRuleChange } from './cloudtrail-rules.ts';
export {
  type ExposedRule,
  type Exposure,
  exposedRules,
  type RuleSelection,
  type SecurityGroupRule,
  type SecurityGroups,
} from './exposed-rules.ts';
