import type { IUnicodeVersionProvider } from '@xterm/headless';
import { Unicode11Addon } from './addons.ts';

/** More combining characters than any script puts on one letter. */
const maxJoined = 16;

/**
 * Unicode 11 widths, as terminals and shells of today count them, with an end to how much may pile up in one cell: a stream
 * of combining characters would otherwise grow one string for ever.
 */
export function boundedWidths(): IUnicodeVersionProvider {
  const widths = unicode11Widths();
  return {
    version: 'sshtrail',
    wcwidth: (codepoint) => widths.wcwidth(codepoint),
    charProperties(codepoint, preceding) {
      const width = widths.wcwidth(codepoint);
      const before = stateOf(preceding);
      if (width !== 0 || preceding === 0 || before.width === 0) return pack(0, width, false);
      if (before.joined >= maxJoined) return pack(0, 1, false);
      return pack(before.joined + 1, before.width, true);
    },
  };
}

function unicode11Widths(): IUnicodeVersionProvider {
  let widths: IUnicodeVersionProvider | undefined;
  new Unicode11Addon().activate({
    unicode: {
      register: (provider: IUnicodeVersionProvider) => {
        widths = provider;
      },
    },
  });
  if (widths === undefined) throw new TypeError('the width table is missing');
  return widths;
}

/** The emulator's packing of a character's properties: state above, two bits of width, one bit that says joined. */
function pack(joined: number, width: 0 | 1 | 2, isJoined: boolean): number {
  return (joined << 3) | (width << 1) | (isJoined ? 1 : 0);
}

function stateOf(properties: number): { joined: number; width: 0 | 1 | 2 } {
  const width = (properties >> 1) & 3;
  return { joined: properties >> 3, width: width === 1 || width === 2 ? width : 0 };
}
