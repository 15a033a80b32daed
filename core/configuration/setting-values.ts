import { z } from 'zod';
import { parseAddressRange } from './address-range.ts';
import { parseKeyLine } from './key-line.ts';
import { say } from './say.ts';

export const file = z
  .string()
  .min(1, say('names no file', 'write a file name, relative to this file or absolute'))
  .max(4096);
export const port = z.int().min(1).max(65_535);
export const hostName = z
  .string()
  .regex(
    /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39}(?:\.[0-9]{1,3}){0,3})$/,
    say(
      'is not a host name or address',
      'write a name such as web-1.example.com or an address, without port or brackets',
    ),
  );

export function keyLines(allowSecurityKeys: boolean) {
  return z.array(
    z.string().superRefine((line, context) => {
      const read = parseKeyLine(line);
      if (!read.ok) context.addIssue({ code: 'custom', message: `${read.message}; ${read.fix}` });
      else if (!allowSecurityKeys && read.type.startsWith('sk-'))
        context.addIssue({
          code: 'custom',
          message: 'is a security key, which only people have; put a host or authority key here',
        });
    }),
  );
}

export const addressRange = z
  .string()
  .refine(
    (text) => parseAddressRange(text) !== undefined,
    say(
      'is no address or range of addresses',
      'write 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32, with zeros behind the prefix',
    ),
  );
