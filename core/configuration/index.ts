export { addTarget, type NewTarget, targetLines } from './add-target.ts';
export { addressMatcher } from './address-range.ts';
export type { Configuration, CredentialFile, Identity, KeyFile, RunbookSetting } from './configuration.ts';
export {
  type AwsIdentity,
  type Ec2InventorySettings,
  groupsOf,
  type HostedConfiguration,
  type StoredCredential,
} from './hosted-configuration.ts';
export { configurationJsonSchema, hostedConfigurationJsonSchema, schemaModeline } from './json-schema.ts';
export { type HostedParameter, hostedPolicies, type LoadedHosted, loadHosted } from './load-hosted.ts';
export { parseConfiguration } from './parse-configuration.ts';
export { parseHostedConfiguration } from './parse-hosted-configuration.ts';
export type { Problem } from './problem.ts';
export { formatProblems } from './problem.ts';
