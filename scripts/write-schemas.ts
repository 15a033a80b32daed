import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { schemaToJson } from '@cedar-policy/cedar-wasm/nodejs';
import { configurationJsonSchema, hostedConfigurationJsonSchema } from '#core/configuration';
import { policySchema } from '#core/policy';
import { runbookJsonSchema } from '#core/runbook';

/** Writes the published schemas anew (then `npm run format`); a test compares them with what the code says. */
const root = new URL('..', import.meta.url).pathname;
mkdirSync(join(root, 'schema'), { recursive: true });
writeFileSync(
  join(root, 'schema/sshtrail.schema.json'),
  `${JSON.stringify(configurationJsonSchema(), null, 2)}\n`,
);
writeFileSync(
  join(root, 'schema/sshtrail-hosted.schema.json'),
  `${JSON.stringify(hostedConfigurationJsonSchema(), null, 2)}\n`,
);
writeFileSync(join(root, 'core/policy/sshtrail.cedarschema'), policySchema);
const asJson = schemaToJson(policySchema);
if (asJson.type === 'failure') throw new Error(asJson.errors.map(({ message }) => message).join('\n'));
writeFileSync(join(root, 'core/policy/cedar-schema.json'), `${JSON.stringify(asJson.json, null, 2)}\n`);
writeFileSync(
  join(root, 'runbooks/schema/runbook.schema.json'),
  `${JSON.stringify(runbookJsonSchema(), null, 2)}\n`,
);
