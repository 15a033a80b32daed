import { z } from 'zod';
import { configurationSchema, runbookIdPattern } from './configuration-schema.ts';
import { hostedConfigurationSchema } from './hosted-schema.ts';

/** JSON Schema (draft-07) of `sshtrail.yaml` for editors; published as `schema/sshtrail.schema.json`. */
export function configurationJsonSchema(): Record<string, unknown> {
  return jsonSchema(configurationSchema, configurationSchema.shape.runbooks.unwrap());
}

/** The same of the AWS form's `sshtrail.yaml`; published as `schema/sshtrail-hosted.schema.json`. */
export function hostedConfigurationJsonSchema(): Record<string, unknown> {
  return jsonSchema(hostedConfigurationSchema, hostedConfigurationSchema.shape.runbooks.unwrap());
}

/** `runbooks` has a setting under each runbook's id. */
function jsonSchema(whole: z.ZodType, runbooks: z.ZodObject): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(whole, {
    target: 'draft-7',
    io: 'input',
    override: ({ jsonSchema, zodSchema }) => {
      if (zodSchema !== runbooks) return;
      jsonSchema.patternProperties = { [runbookIdPattern.source]: jsonSchema.additionalProperties ?? {} };
      jsonSchema.additionalProperties = false;
    },
  });
  return { $schema, ...schema };
}

/** First line of a written `sshtrail.yaml`: tells editors with the YAML language server where the schema is. */
export function schemaModeline(schemaLocation: string): string {
  return `# yaml-language-server: $schema=${schemaLocation}`;
}
