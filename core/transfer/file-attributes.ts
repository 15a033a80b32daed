import type { FieldReader } from './field-reader.ts';

/** ATTRS of draft-ietf-secsh-filexfer-02 §5: what is there of it. */
export type FileAttributes = {
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
  readonly accessedAt?: number;
  readonly modifiedAt?: number;
};

const flag = { size: 1, owner: 2, mode: 4, times: 8 } as const;

/** Extended attributes, which follow, are not read. */
export function readAttributes(reader: FieldReader): FileAttributes {
  const flags = reader.uint32();
  return {
    ...((flags & flag.size) === 0 ? {} : { size: reader.uint64() }),
    ...((flags & flag.owner) === 0 ? {} : { uid: reader.uint32(), gid: reader.uint32() }),
    ...((flags & flag.mode) === 0 ? {} : { mode: reader.uint32() }),
    ...((flags & flag.times) === 0 ? {} : { accessedAt: reader.uint32(), modifiedAt: reader.uint32() }),
  };
}

/** `mode=0644,size=0`; undefined where nothing was set. */
export function attributesText(attributes: FileAttributes | undefined): string | undefined {
  if (attributes === undefined) return undefined;
  const { mode, ...rest } = attributes;
  const parts = Object.entries(rest).map(([name, value]) => `${name}=${value}`);
  if (mode !== undefined) parts.unshift(`mode=0${(mode & 0o7777).toString(8)}`);
  return parts.length === 0 ? undefined : parts.join(',');
}
