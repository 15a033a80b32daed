import type { PublicKey } from './contract.ts';
import { KeyError } from './key-error.ts';
import { familyOf } from './key-family.ts';
import { isPlainText } from './plain-text.ts';
import { parsePublicKey } from './public-key.ts';
import { decodeBase64 } from './text-encoding.ts';

/** The three parts of a `type base64 comment` line, not yet judged. */
export type KeyLine = { readonly type: string; readonly blob: Buffer; readonly comment: string };

const MAX_LINE_CHARACTERS = 16 * 1024;

/**
 * Reads one line of a `.pub` file: `type base64 comment`. Lines with authorized_keys options and certificate lines are refused.
 *
 * @throws KeyError as `parsePublicKey`, and `malformed` where the text is not such a line.
 */
export function parsePublicKeyLine(text: string): {
  readonly publicKey: PublicKey;
  readonly comment: string;
} {
  const line = splitKeyLine(text, MAX_LINE_CHARACTERS);
  if (line.type.endsWith('-cert-v01@openssh.com'))
    throw new KeyError(
      'unsupported-type',
      'the line holds a certificate; give the public key, whose file does not end in -cert.pub',
    );
  const publicKey = parsePublicKey(line.blob);
  if (publicKey.type !== line.type)
    throw new KeyError('malformed', 'the line names another key type than its base64 part holds');
  return { publicKey, comment: line.comment };
}

/** `type base64 comment` without a line end. */
export function formatPublicKeyLine(key: PublicKey, comment = ''): string {
  return formatKeyLine(key.type, key.blob, comment);
}

/** One line of a known_hosts file without a line end; `authority` marks the key of a host CA (sshd(8)). */
export function formatKnownHostsLine(entry: {
  readonly patterns: readonly string[];
  readonly publicKey: PublicKey;
  readonly authority?: boolean;
}): string {
  if (entry.patterns.length === 0)
    throw new KeyError('invalid-text', 'a known_hosts line needs at least one host pattern');
  for (const pattern of entry.patterns) {
    if (!/^[^\s,#@|][^\s,]*$/u.test(pattern) || !isPlainText(pattern))
      throw new KeyError(
        'invalid-text',
        'a host pattern is empty, has a comma, space or control character, or starts with #, @ or |',
      );
  }
  const marker = entry.authority === true ? '@cert-authority ' : '';
  return `${marker}${entry.patterns.join(',')} ${formatPublicKeyLine(entry.publicKey)}`;
}

export function formatKeyLine(type: string, blob: Buffer, comment: string): string {
  if (!isPlainText(comment))
    throw new KeyError('invalid-text', 'a key comment must be one line without control characters');
  const line = `${type} ${blob.toString('base64')}`;
  return comment === '' ? line : `${line} ${comment}`;
}

/** @throws KeyError `malformed`. */
export function splitKeyLine(text: string, maxCharacters: number): KeyLine {
  if (text.length > maxCharacters)
    throw new KeyError('malformed', `a key line is over ${maxCharacters} characters`);
  if (text.includes('PRIVATE KEY-----'))
    throw new KeyError('malformed', 'this is a private key; give the line of its .pub file');
  const match = /^(\S+)[ \t]+(\S+)(?:[ \t]+(\S.*))?$/u.exec(text.trim());
  const [type, base64, comment = ''] = match?.slice(1) ?? [];
  if (type === undefined || base64 === undefined)
    throw new KeyError('malformed', 'a key is written as one line: type, base64 and an optional comment');
  if (!/^[a-z0-9@.-]+$/.test(type) || !looksLikeKeyType(type))
    throw new KeyError(
      'malformed',
      'a key line must start with the key type; options as in authorized_keys are not read here',
    );
  if (!isPlainText(comment)) throw new KeyError('malformed', 'a key comment holds a control character');
  const blob = decodeBase64(base64);
  if (blob === undefined) throw new KeyError('malformed', 'the second part of a key line is not base64');
  return { type, blob, comment };
}

function looksLikeKeyType(word: string): boolean {
  return familyOf(word) !== undefined || /^(?:sk-)?(?:ssh|ecdsa)-/.test(word);
}
