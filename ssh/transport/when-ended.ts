import type { Transport, TransportEnd } from './contract.ts';

/**
 * Calls `listener` when the transport has ended, unless the returned function was called before. A promise keeps its reactions for as long
 * as it is pending: a listener that was let go holds nothing of whoever made it for the rest of an idle connection's life.
 */
export function whenEnded(
  transport: Pick<Transport, 'ended'>,
  listener: (end: TransportEnd) => void,
): () => void {
  const slot: { listener: ((end: TransportEnd) => void) | undefined } = { listener };
  react(transport, slot);
  return () => {
    slot.listener = undefined;
  };
}

/** Apart, so that the reaction closes over the slot alone. */
function react(
  transport: Pick<Transport, 'ended'>,
  slot: { readonly listener: ((end: TransportEnd) => void) | undefined },
): void {
  void transport.ended.then((end) => slot.listener?.(end));
}
