import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readRunbooks, runbooksFolder } from '../../../lambdas/shared/index.ts';

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'sshtrail-function-'));
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  return made;
}

it("reads the product's runbooks where there is no bundle", () => {
  expect([...readRunbooks(runbooksFolder(undefined)).keys()]).toEqual(
    expect.arrayContaining(['SSH-001', 'SSH-002']),
  );
});

it('reads those beside the bundle where there are some', async () => {
  const root = await folder();
  await mkdir(join(root, 'runbooks'));
  const name = 'SSH-002-session-without-mfa.yaml';
  await cp(join(runbooksFolder(undefined), name), join(root, 'runbooks', name));

  expect([...readRunbooks(runbooksFolder(root)).keys()]).toEqual(['SSH-002']);
});

it('reads none where one cannot be used', async () => {
  const root = await folder();
  await writeFile(join(root, 'SSH-003-x.yaml'), 'runbook: 1\n');

  expect(() => readRunbooks(root)).toThrow(expect.objectContaining({ code: 'runbooks' }));
});

it('says where there is no folder', () => {
  expect(() => readRunbooks('/nonexistent/runbooks')).toThrow(expect.objectContaining({ code: 'runbooks' }));
});
