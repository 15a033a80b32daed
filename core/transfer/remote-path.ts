import { evidenceText } from '#core/event';

/** A path as policy reads it, or why it cannot be told which file is meant. */
export type JudgedPath =
  | { readonly known: true; readonly path: string }
  | { readonly known: false; readonly message: string };

/** More than any head of a message holds, escaped. */
const maxTextBytes = 65_536;

/**
 * The path from the root on, by its words alone: `.`, `..` and double slashes are resolved as if no part of it were a symbolic link,
 * for what the target has there is not known. `start` is the directory the target resolves relative paths against.
 */
export function judgedPath(path: Buffer, start: Buffer | undefined): JudgedPath {
  // Servers written in C read up to it.
  if (path.includes(0)) return { known: false, message: 'the path holds a zero byte' };
  const absolute = absolutePath(path, start);
  if (absolute === undefined)
    return {
      known: false,
      message: 'it is not known what the path is relative to; give it from the root on',
    };
  return { known: true, path: evidenceText(absolute, maxTextBytes).text };
}

/** Undefined where it is relative to nobody knows what. */
export function absolutePath(path: Buffer, start: Buffer | undefined): Buffer | undefined {
  const isAbsolute = path[0] === slash;
  if (!isAbsolute && start === undefined) return undefined;
  // Bytes as characters, so that nothing is lost of names that are no UTF-8.
  const text = isAbsolute
    ? path.toString('latin1')
    : `${start?.toString('latin1')}/${path.toString('latin1')}`;
  const parts: string[] = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return Buffer.from(`/${parts.join('/')}`, 'latin1');
}

/** Where a symbolic link leads: relative to the directory it stands in. */
export function linkTarget(target: Buffer, link: Buffer): Buffer {
  if (target[0] === slash) return target;
  return Buffer.concat([link.subarray(0, link.lastIndexOf(slash) + 1), target]);
}

const slash = 0x2f;
