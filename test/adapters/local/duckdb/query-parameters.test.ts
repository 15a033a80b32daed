import { expect, it } from 'vitest';
import { lines, pagesOf, sampleLake, sampleRecord } from './sample-lake.ts';

it('values for ? are text, whatever is in them', async () => {
  const lake = await sampleLake();
  await lake.open(
    'gateway-1',
    '000001',
    lines([sampleRecord({ userName: "o'brien" }), sampleRecord({ userName: 'alice' })]),
  );
  const engine = await lake.engine();
  const found = async (value: string) =>
    (
      await pagesOf(
        await engine.select('SELECT user_name FROM events WHERE user_name = ?', {
          deadlineMs: 20_000,
          parameters: [value],
        }),
      )
    ).flat();

  expect(await found("o'brien")).toEqual([{ user_name: "o'brien" }]);
  expect(await found("x' OR '1'='1")).toEqual([]);
});
