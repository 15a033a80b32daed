import { afterAll, beforeAll, expect, test } from 'vitest';
import { pythonTool } from '../support/python-tool.ts';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

afterAll(async () => {
  await stack.close();
});

type Algorithm = {
  readonly algorithm: string;
  readonly notes?: { readonly fail?: readonly string[]; readonly warn?: readonly string[] };
};

/** Its later versions also warn that Curve25519 alone is not post-quantum; it stays for clients that have nothing better. */
test('ssh-audit has nothing to fail or to warn of in what engineers are offered by default', async () => {
  const { port } = stack.running.gateway.address;

  const finished = await run(pythonTool('ssh-audit'), [
    '--json',
    '--skip-rate-test',
    '-p',
    `${port}`,
    '127.0.0.1',
  ]);

  const report = JSON.parse(finished.stdout.toString()) as Readonly<
    Record<'kex' | 'key' | 'enc' | 'mac', readonly Algorithm[]>
  >;
  const offered = [report.kex, report.key, report.enc, report.mac].flat();
  expect(offered.map(({ algorithm }) => algorithm)).toEqual(
    expect.arrayContaining(['mlkem768x25519-sha256', 'ssh-ed25519', 'chacha20-poly1305@openssh.com']),
  );
  const complaints = offered.flatMap(({ algorithm, notes }) =>
    [...(notes?.fail ?? []), ...(notes?.warn ?? [])].map((note) => `${algorithm}: ${note}`),
  );
  expect(complaints).toEqual([]);
});
