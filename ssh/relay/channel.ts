import type { ChannelOpen, ChannelRequest, Side } from '../connection/index.ts';
import type { RelayChannel, RelayLimits } from './contract.ts';
import { Flow } from './flow.ts';
import type { HeldData } from './held-data.ts';
import { ReplyQueue } from './reply-queue.ts';

/**
 * Largest data in one message that we let the ends agree on. They do not know of us, so each leg must carry what either
 * accepts; transports cap a packet at 256 KiB, as OpenSSH does.
 */
const MAX_PACKET_DATA = 255 * 1024;

/** How far one side has come towards the end of a channel. */
type Progress = 'sending' | 'eof' | 'closed';

/** One channel of the relay, from the CHANNEL_OPEN that was passed on to both CLOSEs. */
export class Channel implements RelayChannel {
  readonly serial: number;
  readonly open: ChannelOpen;
  readonly bytesFrom = { client: 0, target: 0 };
  /** The number each side knows the channel by; the accepting side's is 0 until it has confirmed. */
  readonly numbers: { client: number; target: number };
  readonly progress: { client: Progress; target: Progress } = { client: 'sending', target: 'sending' };
  /** Requests of each side that want a reply. */
  readonly replies: {
    readonly client: ReplyQueue<ChannelRequest>;
    readonly target: ReplyQueue<ChannelRequest>;
  };
  /** A terminal was granted and a program started on it: there is somebody to show a notice to. */
  terminal: { granted: boolean; started: boolean } = { granted: false, started: false };
  /** By the side that sends: what waits for a gate. */
  readonly held: { client: HeldData | undefined; target: HeldData | undefined } = {
    client: undefined,
    target: undefined,
  };
  /** We ended it in place of a program that was refused: nothing passes any more but the target's CLOSE. */
  concluded = false;
  /** What waits for both CLOSEs; only ever set where `concluded`. */
  whenOver: (() => void) | undefined;
  /** By the side that sends; undefined until the channel is confirmed. */
  #flows: { readonly client: Flow; readonly target: Flow } | undefined;
  /** By the side it is held back from. */
  readonly #reserves: { readonly client: number; readonly target: number };

  constructor(serial: number, open: ChannelOpen, limits: RelayLimits) {
    this.serial = serial;
    this.open = open;
    this.numbers = { client: 0, target: 0 };
    this.numbers[open.from] = open.senderChannel;
    const { maxPendingChannelRequests, noticeReserveBytes, gateReserveBytes } = limits;
    this.replies = {
      client: new ReplyQueue(maxPendingChannelRequests),
      target: new ReplyQueue(maxPendingChannelRequests),
    };
    this.#reserves =
      open.detail.kind === 'session'
        ? { client: gateReserveBytes, target: Math.max(noticeReserveBytes, gateReserveBytes) }
        : { client: 0, target: 0 };
  }

  get isOpen(): boolean {
    return this.#flows !== undefined;
  }

  /** The window to announce to the accepting side in place of the opener's. */
  get announcedWindow(): number {
    const { from, initialWindow } = this.open;
    return initialWindow - this.#reserveOf(otherSide(from), initialWindow);
  }

  get announcedMaximumPacket(): number {
    return clampPacket(this.open.maximumPacket);
  }

  /** The accepting side confirmed with its number and window. Returns what to announce to the opener. */
  confirm(
    number: number,
    window: number,
    maximumPacket: number,
  ): { readonly window: number; readonly maximumPacket: number } {
    const opener = this.open.from;
    const accepter = otherSide(opener);
    this.numbers[accepter] = number;
    const { initialWindow } = this.open;
    const held = this.#reserveOf(accepter, initialWindow);
    const toOpener = new Flow(accepter, initialWindow, this.announcedMaximumPacket, held);
    const heldFromOpener = this.#reserveOf(opener, window);
    const toAccepter = new Flow(
      opener,
      window,
      clampPacket(maximumPacket),
      heldFromOpener,
      this.#reserves[opener],
    );
    this.#flows =
      opener === 'client'
        ? { client: toAccepter, target: toOpener }
        : { client: toOpener, target: toAccepter };
    return { window: window - heldFromOpener, maximumPacket: toAccepter.maximumPacket };
  }

  /** At most an eighth, so that a small window stays usable and a receiver that grants late is not starved. */
  #reserveOf(sender: Side, window: number): number {
    return Math.min(this.#reserves[sender], Math.floor(window / 8));
  }

  /** The window for what `sender` sends; undefined while the channel is half open. */
  flowFrom(sender: Side): Flow | undefined {
    return this.#flows?.[sender];
  }
}

export function otherSide(side: Side): Side {
  return side === 'client' ? 'target' : 'client';
}

function clampPacket(bytes: number): number {
  return Math.min(bytes, MAX_PACKET_DATA);
}
