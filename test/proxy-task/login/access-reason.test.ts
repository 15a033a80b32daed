import { expect, test } from 'vitest';
import { accessReason } from '../../../proxy-task/login/access-reason.ts';
import type { ProvenEngineer } from '../../../proxy-task/login/engineer-authenticator.ts';

const engineer: ProvenEngineer = {
  user: 'deploy@web-1',
  identity: { name: 'alice', principalId: 'alice', type: 'person', groups: [] },
  authMethod: 'publickey',
  keyFingerprint: 'SHA256:x',
  mfa: { verified: false, method: 'none' },
};

const question = (wanted = true) =>
  accessReason({ wanted: async () => wanted, redact: (text) => text.replace('hunter2', '***') });

async function answered(text: string) {
  const dialogue = await question().of(engineer);
  return dialogue?.answer([text]);
}

test('a reason is asked for where one is wanted and none is known', async () => {
  const dialogue = await question().of(engineer);

  expect(await dialogue?.begin()).toMatchObject({
    kind: 'ask',
    request: { prompts: [{ text: 'Reason: ', echo: true }] },
  });
  expect(await question(false).of(engineer)).toBeUndefined();
  expect(await question().of({ ...engineer, reason: 'INC-7' })).toBeUndefined();
});

test('what is answered is known from then on, without secrets and without control of a terminal', async () => {
  expect(await answered('  INC-7: the password hunter2 \u001b[2J\u202e ')).toEqual({
    kind: 'answered',
    engineer: { ...engineer, reason: 'INC-7: the password *** \\u{1b}[2J\\u{202e}' },
  });
});

test.each([
  ['nothing', ''],
  ['blanks', '  \t '],
  ['a book', 'x'.repeat(501)],
])('%s is no reason', async (_, text) => {
  expect(await answered(text)).toEqual({ kind: 'refused' });
});
