import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Flow } from '../../../ssh/relay/flow.ts';

test('holds back no more than an eighth of a window that is granted bit by bit', () => {
  const windows = fc.integer({ min: 1024, max: 200_000 });
  const sizes = fc.array(fc.integer({ min: 1, max: 32_768 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(windows, sizes, (window, packets) => {
      const held = Math.floor(window / 8);
      const flow = new Flow('client', window, 32_768, held, 131_072);
      let mayCome = window - held;
      for (const size of packets) {
        const length = Math.min(size, mayCome);
        flow.take(length);
        flow.deliver(length);
        // The receiver has used it, and grants it anew.
        mayCome += flow.grant(length) - length;

        expect(mayCome).toBeGreaterThanOrEqual(window - Math.floor(window / 8));
        expect(flow.spare).toBeLessThanOrEqual(Math.floor(window / 8));
      }
    }),
  );
});

test('holds back what is wanted of a window that is granted after the channel is confirmed', () => {
  const flow = new Flow('client', 0, 32_768, 0, 131_072);

  expect(flow.grant(2_097_152)).toBe(2_097_152 - 131_072);
  expect(flow.spare).toBe(131_072);
});
