import { z } from 'zod';
import { configurationSchema, runbookIdPattern } from './configuration-schema.ts';

/** JSON Schema (draft-07) of `sshtrail.yaml` for editors; published as `schema/sshtrail.schema.json`. */
export function configurationJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(configurationSchema, {
    target: 'draft-7',
    io: 'input',
    override: ({ jsonSchema, zodSchema }) => {
      if (zodSchema !== configurationSchema.shape.runbooks.unwrap()) return;
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
