import { expect, firstLine, type Stage, ssh, start, until } from './stage.ts';

export async function runCommands(stage: Stage): Promise<string> {
  const exec = await ssh(stage, ['playground@gateway', 'echo hello from $(uname -s); exit 3']);
  expect(
    exec.code === 3 && exec.stdout.startsWith('hello from '),
    `the command printed ${JSON.stringify(exec.stdout)} and exited with ${exec.code}: ${exec.stderr}`,
  );
  const shell = await ssh(stage, ['playground@gateway'], {
    terminal: true,
    stdin: 'echo typed $((6*7))\nexit\n',
  });
  expect(
    shell.stdout.includes('typed 42'),
    `the shell printed ${JSON.stringify(shell.stdout)}: ${shell.stderr}`,
  );
  return 'a command exited with its own status 3, and a shell on a terminal took typed commands';
}

export async function beDenied(stage: Stage): Promise<string> {
  const command = await ssh(stage, ['playground@gateway', 'reboot --please']);
  expect(
    command.code !== 0 && command.stderr.includes('no-halting'),
    `reboot was not denied: ${command.stderr}`,
  );
  const production = await ssh(stage, ['production@gateway', 'true']);
  expect(
    production.code === 255 && production.stderr.includes('second factor'),
    `production was not denied: ${production.stderr}`,
  );
  return firstLine(production.stderr);
}

export async function beRevoked(stage: Stage): Promise<string> {
  const withFactor = start(stage, ['production@gateway-mfa', 'echo open; sleep 600'], { code: true });
  await until(
    () => withFactor.stdout().includes('open'),
    10_000,
    () => `the session with a second factor did not open: ${withFactor.stderr()}`,
  );
  const startedMs = stage.now();
  const without = start(stage, ['staging@gateway'], { terminal: true });
  try {
    await until(
      () => without.ended(),
      15_000,
      () => 'the session without a second factor was still open after 15 s',
    );
    const tookMs = stage.now() - startedMs;
    expect(
      without.stderr().includes('SSH-002') || without.stdout().includes('second factor'),
      `the engineer did not see why: ${without.stderr()} ${without.stdout()}`,
    );
    expect(!withFactor.ended(), `the session with a second factor ended, too: ${withFactor.stderr()}`);
    return `ended ${(tookMs / 1000).toFixed(1)} s after it began; the engineer read: ${firstLine(without.stderr())}`;
  } finally {
    await without.stop();
    await withFactor.stop();
  }
}
