import { expect, test } from 'vitest';
import {
  createEngineerAuthenticator,
  type ProvenEngineer,
} from '../../../proxy-task/login/engineer-authenticator.ts';
import { createIdentityDirectory } from '../../../proxy-task/login/identity-directory.ts';
import type { LoginQuestion } from '../../../proxy-task/login/login-question.ts';
import { formatPublicKeyLine, generatePrivateKey, type ProvenKey } from '../../../ssh/index.ts';

const keys = { alice: generatePrivateKey('ed25519'), bob: generatePrivateKey('ed25519') };

const proven = (name: keyof typeof keys): ProvenKey => ({
  proven: true,
  offered: { kind: 'key', publicKey: keys[name].publicKey },
  signatureAlgorithm: 'ssh-ed25519',
});

/** Wants a word, which is then taken for the user name; answers with `leave` end the connection. */
function question(word: string, of: (engineer: ProvenEngineer) => boolean = () => true): LoginQuestion {
  return {
    async of(engineer) {
      if (!of(engineer) || engineer.user.includes(word)) return undefined;
      return {
        begin: async () => ({
          kind: 'ask',
          request: { name: '', instruction: engineer.identity.name, prompts: [{ text: word, echo: true }] },
        }),
        async answer([said]) {
          if (said === 'leave') return { kind: 'refused', message: 'go away' };
          if (said !== word) return { kind: 'refused' };
          return { kind: 'answered', engineer: { ...engineer, user: `${engineer.user} ${word}` } };
        },
      };
    },
  };
}

function authenticator(
  questions: readonly LoginQuestion[],
  overrides: Partial<Parameters<typeof createEngineerAuthenticator>[0]> = {},
) {
  return createEngineerAuthenticator({
    identities: createIdentityDirectory(
      (['alice', 'bob'] as const).map((name) => ({
        name,
        principalId: name,
        type: 'person',
        groups: [],
        sources: ['192.0.2.0/24'],
        keys: [formatPublicKeyLine(keys[name].publicKey)],
      })),
      [],
    ),
    questions,
    counters: { check: async () => 'accepted' },
    knownProof: async () => undefined,
    keyRefused: async () => undefined,
    sourceAddress: '192.0.2.1',
    now: () => 1_800_000_000_000,
    ...overrides,
  });
}

const partial = { kind: 'partial', continueWith: ['keyboard-interactive'] };
const failure = { kind: 'done', verdict: { kind: 'failure' } };
const success = { kind: 'done', verdict: { kind: 'success' } };

test('asks one question after the other, and nobody is let in before the last', async () => {
  const tried = authenticator([
    question('one'),
    question('two', ({ user }) => user !== 'u'),
    question('three'),
  ]);

  expect(await tried.keyProven('u', proven('alice'))).toEqual(partial);
  expect(await tried.startInteractive('u')).toMatchObject({ request: { prompts: [{ text: 'one' }] } });
  expect(await tried.continueInteractive('u', ['one'])).toMatchObject({
    request: { prompts: [{ text: 'two' }] },
  });
  expect(await tried.continueInteractive('u', ['two'])).toMatchObject({
    request: { prompts: [{ text: 'three' }] },
  });
  expect(tried.engineer).toBeUndefined();

  expect(await tried.continueInteractive('u', ['three'])).toEqual(success);
  expect(tried.engineer?.user).toBe('u one two three');
});

test('keeps what was answered, and asks again what was not', async () => {
  const tried = authenticator([question('one'), question('two')]);
  await tried.keyProven('u', proven('alice'));
  await tried.startInteractive('u');
  await tried.continueInteractive('u', ['one']);

  expect(await tried.continueInteractive('u', ['wrong'])).toEqual(failure);
  expect(await tried.continueInteractive('u', ['two'])).toEqual(failure);
  expect(await tried.startInteractive('u')).toMatchObject({ request: { prompts: [{ text: 'two' }] } });
  expect(await tried.continueInteractive('u', ['leave'])).toEqual({
    kind: 'done',
    verdict: { kind: 'disconnect', message: 'go away' },
  });
  expect(tried.engineer).toBeUndefined();
});

test('nothing is asked before a key is proved, or where there is nothing to ask', async () => {
  const tried = authenticator([question('one', ({ identity }) => identity.name === 'bob')]);

  expect(await tried.startInteractive('u')).toEqual(failure);
  expect(await tried.continueInteractive('u', ['one'])).toEqual(failure);
  expect(await tried.keyProven('u', proven('alice'))).toEqual({ kind: 'success' });
  expect(tried.engineer?.identity.name).toBe('alice');
});

test('answers to what one key was asked do not count for another key', async () => {
  const tried = authenticator([question('one')]);
  await tried.keyProven('u', proven('alice'));
  await tried.startInteractive('u');
  await tried.keyProven('u', proven('bob'));

  expect(await tried.continueInteractive('u', ['one'])).toEqual(failure);
  expect(await tried.startInteractive('u')).toMatchObject({ request: { instruction: 'bob' } });
  expect(await tried.continueInteractive('u', ['one'])).toEqual(success);
  expect(tried.engineer?.identity.name).toBe('bob');
});

test('a factor that was proved before counts with its own time, and questions see it', async () => {
  const known = { method: 'totp', atMs: 1_799_999_900_000 };
  const tried = authenticator([question('one', ({ mfa }) => !mfa.verified)], {
    knownProof: async () => known,
  });

  expect(await tried.keyProven('u', proven('alice'))).toEqual({ kind: 'success' });
  expect(tried.engineer?.mfa).toEqual({ verified: true, ...known });
});

test('a key that signs from another address is refused and told of once, with who it would be', async () => {
  const refusals: string[] = [];
  const tried = authenticator([], {
    sourceAddress: '198.51.100.1',
    knownProof: async () => ({ method: 'totp', atMs: 1 }),
    async keyRefused({ identity, mfa }, why) {
      refusals.push(`${identity.name} ${why} ${mfa.verified}`);
    },
  });

  expect(await tried.keyProven('u', proven('alice'))).toEqual({ kind: 'failure' });
  await tried.attemptFailed('u', 'publickey', 'refused');

  expect(refusals).toEqual(['alice source-not-allowed false']);
  expect(tried.failures.count).toBe(0);
  expect(tried.engineer).toBeUndefined();
});
