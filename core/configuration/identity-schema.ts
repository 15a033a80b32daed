import { z } from 'zod';
import { totpSecretProblem } from '../totp/index.ts';
import { say } from './say.ts';
import { addressRange, file, keyLines } from './setting-values.ts';

/** One entry under `identities`. */
export const identity = z.strictObject({
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/,
      say(
        'is not an identity name',
        'use letters, digits and . _ @ + -, at most 128, beginning with a letter or digit',
      ),
    )
    .describe('In events, policies and as principal of certificates.'),
  type: z.enum(['person', 'service']).default('person'),
  groups: z
    .array(
      z
        .string()
        .regex(
          /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$/,
          say('is not a group name', 'use letters, digits and . _ : @ / -'),
        ),
    )
    .default([])
    .describe('What policies call Group.'),
  keys: keyLines(true).default([]).describe('Lines of .pub files.'),
  totp: z
    .strictObject({
      secret: z
        .string()
        .superRefine((secret, context) => {
          const problem = totpSecretProblem(secret);
          if (problem !== undefined)
            context.addIssue({
              code: 'custom',
              message: `${problem}; write 32 base32 characters, or use secretFile`,
            });
        })
        .optional()
        .describe('Base32. A secretFile keeps it out of this file.'),
      secretFile: file.optional().describe('A file that holds the base32 secret and nothing else.'),
    })
    .optional()
    .describe('Second factor: codes of an authenticator app. One of secret and secretFile.'),
  sources: z
    .array(addressRange)
    .min(1, say('is empty, so that it could come from nowhere', 'name an address, or remove sources'))
    .max(100)
    .optional()
    .describe('Addresses or ranges it may come from; any if absent. A service has to have them.'),
  principalId: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .describe('Stable id in the events; the name if absent.'),
});
