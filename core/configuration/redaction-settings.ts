import { z } from 'zod';
import { compileRule, isOwnRuleId } from '../redaction/index.ts';
import { parseSealingKey, SealingError } from '../sealing/index.ts';
import { say } from './say.ts';

const words = z.array(z.string().max(256)).max(1000);

const rule = z
  .strictObject({
    id: z
      .string()
      .regex(
        /^[a-z][a-z0-9-]{0,63}$/,
        say('is not the id of a rule', 'use a-z, 0-9 and dash, at most 64, beginning with a letter'),
      )
      .describe('In the counts of manifests.'),
    pattern: z
      .string()
      .max(4096)
      .describe('A regular expression that cannot be slow: docs/redaction.md says what it may contain.'),
    group: z
      .int()
      .min(0)
      .max(99)
      .optional()
      .describe(
        'The group that is the secret; all that took part if absent, the whole match where there is none.',
      ),
    keywords: words.describe('The pattern is tried only on lines with one of these, in any case.'),
    after: words
      .optional()
      .describe('One of these words must stand before the match in the same command, such as mysql.'),
  })
  .superRefine((written, context) => {
    const compiled = compileRule(written);
    if (compiled.ok) return;
    const { at, message, fix } = compiled.problem;
    context.addIssue({ code: 'custom', path: [at], message: `${message}; ${fix}` });
  });

/** What is hidden in recordings and events before they are sealed. */
export const redactionSettings = z
  .strictObject({
    defaults: z.boolean().default(true).describe('Use the rules of the product.'),
    rules: z
      .array(rule)
      .max(200)
      .default([])
      .superRefine((rules, context) => {
        const known = new Set<string>();
        for (const [index, { id }] of rules.entries()) {
          if (known.has(id) || isOwnRuleId(id))
            context.addIssue({
              code: 'custom',
              path: [index, 'id'],
              message: 'is the id of another rule; give each an id of its own',
            });
          known.add(id);
        }
      })
      .describe('Rules of your own, after those of the product.'),
    sealOriginalTo: z
      .string()
      .max(200)
      .superRefine((text, context) => {
        try {
          parseSealingKey(text);
        } catch (error) {
          if (!(error instanceof SealingError)) throw error;
          context.addIssue({ code: 'custom', message: error.message });
        }
      })
      .optional()
      .describe('x25519:BASE64 or p256:BASE64, a public key: originals are kept, encrypted to it.'),
  })
  .prefault({})
  .describe('What is hidden in recordings and events before they are sealed.');
