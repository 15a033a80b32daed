import type {
  KeyboardInteractiveStep,
  MethodVerdict,
  OfferedKey,
  ProvenKey,
  ServerAuthenticationOptions,
  ServerAuthenticator,
} from '../../../ssh/authentication/index.ts';

/** Decides as told and keeps what it was asked. Without a script every key is good and every question fails. */
export type ScriptedAuthenticator = ServerAuthenticator & {
  readonly asked: { readonly user: string; readonly key: OfferedKey }[];
  readonly proven: { readonly user: string; readonly key: ProvenKey }[];
  readonly failures: string[];
};

export type AuthenticatorScript = {
  readonly accepts?: (key: OfferedKey) => boolean | Promise<boolean>;
  readonly proven?: (key: ProvenKey) => MethodVerdict | Promise<MethodVerdict>;
  readonly start?: () => KeyboardInteractiveStep;
  readonly continue?: (
    responses: readonly string[],
  ) => KeyboardInteractiveStep | Promise<KeyboardInteractiveStep>;
};

export function scriptedAuthenticator(script: AuthenticatorScript = {}): ScriptedAuthenticator {
  const asked: { user: string; key: OfferedKey }[] = [];
  const proven: { user: string; key: ProvenKey }[] = [];
  const failures: string[] = [];
  const fail: KeyboardInteractiveStep = { kind: 'done', verdict: { kind: 'failure' } };
  return {
    asked,
    proven,
    failures,
    acceptsKey: async (user, key) => {
      asked.push({ user, key });
      return (await script.accepts?.(key)) ?? true;
    },
    keyProven: async (user, key) => {
      proven.push({ user, key });
      return (await script.proven?.(key)) ?? { kind: 'success' };
    },
    startInteractive: async () => script.start?.() ?? fail,
    continueInteractive: async (_user, responses) => (await script.continue?.(responses)) ?? fail,
    attemptFailed: async (_user, method, why) => {
      failures.push(`${method}: ${why}`);
    },
  };
}

export function authenticationOptions(
  authenticator: ServerAuthenticator,
  overrides: Partial<ServerAuthenticationOptions> = {},
): ServerAuthenticationOptions {
  return {
    authenticator,
    methods: ['publickey', 'keyboard-interactive'],
    maxAttempts: 6,
    graceMs: 10_000,
    ...overrides,
  };
}

export const askForCode: KeyboardInteractiveStep = {
  kind: 'ask',
  request: {
    name: 'Second factor',
    instruction: 'Enter the code.',
    prompts: [{ text: 'Code: ', echo: false }],
  },
};
