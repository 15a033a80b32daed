import type { ControlData, ControlItem, ControlKind } from '#core/contract';
import { controlDataSchemas } from './control-data-schema.ts';
import { ControlStoreError } from './control-store-error.ts';

const maxIdBytes = 1024;
const maxDataBytes = 256 * 1024;

/** An item as a store has it; not yet believed. */
export type StoredControlItem = {
  readonly id: string;
  readonly version: number;
  /** JSON. */
  readonly data: string;
  readonly expiresAtMs: number | undefined;
};

/** @throws ControlStoreError `corrupt` where the data is not what this version writes. */
export function readControlItem<Kind extends ControlKind>(
  kind: Kind,
  stored: StoredControlItem,
): ControlItem<Kind> {
  const subject = `the control store's ${kind} ${JSON.stringify(stored.id)}`;
  let json: unknown;
  try {
    json = JSON.parse(stored.data);
  } catch (cause) {
    throw new ControlStoreError('corrupt', `${subject} is not JSON; delete it or restore the store`, {
      cause,
    });
  }
  const parsed = controlDataSchemas[kind].safeParse(json);
  if (!parsed.success)
    throw new ControlStoreError(
      'corrupt',
      `${subject} is not what this version writes; delete it or restore the store`,
      { cause: parsed.error },
    );
  return {
    kind,
    id: stored.id,
    version: stored.version,
    data: parsed.data,
    ...(stored.expiresAtMs === undefined ? {} : { expiresAtMs: stored.expiresAtMs }),
  };
}

/** What a put may store: an id of 1 to 1024 bytes, data of the kind as JSON, a whole time of expiry. */
export type WritableControlItem = {
  readonly kind: ControlKind;
  readonly id: string;
  readonly data: string;
  readonly expiresAtMs: number | undefined;
};

/** @throws ControlStoreError `unwritable` */
export function writableControlItem<Kind extends ControlKind>(
  kind: Kind,
  id: string,
  data: ControlData[Kind],
  expiresAtMs: number | undefined,
): WritableControlItem {
  if (!isControlId(id))
    throw new ControlStoreError(
      'unwritable',
      `an id in the control store has 1 to ${maxIdBytes} bytes of well-formed text, not ${JSON.stringify(id.slice(0, 100))}`,
    );
  const subject = `the ${kind} ${JSON.stringify(id)}`;
  return { kind, id, data: encoded(kind, subject, data), expiresAtMs: wholeTime(subject, expiresAtMs) };
}

/** Whether anything can be stored under the id. */
export function isControlId(id: string): boolean {
  return id !== '' && Buffer.byteLength(id) <= maxIdBytes && id.isWellFormed() && !id.includes('\0');
}

function encoded<Kind extends ControlKind>(kind: Kind, subject: string, data: ControlData[Kind]): string {
  const parsed = controlDataSchemas[kind].safeParse(data);
  if (!parsed.success)
    throw new ControlStoreError('unwritable', `${subject} has not the shape the control store keeps`, {
      cause: parsed.error,
    });
  const text = JSON.stringify(parsed.data);
  if (Buffer.byteLength(text) > maxDataBytes)
    throw new ControlStoreError('unwritable', `${subject} has over ${maxDataBytes} bytes; shorten it`);
  return text;
}

function wholeTime(subject: string, timeMs: number | undefined): number | undefined {
  if (timeMs === undefined) return undefined;
  const whole = Math.ceil(timeMs);
  if (!Number.isSafeInteger(whole))
    throw new ControlStoreError(
      'unwritable',
      `${subject} expires at no time that can be kept; give milliseconds since the epoch`,
    );
  return whole;
}
