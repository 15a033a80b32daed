import type { InfoRequest, PrivateKey } from '#ssh';
import { AuthenticationError, authenticateToTarget } from '../../../ssh/authentication/index.ts';
import { connectEncrypted } from '../attacker.ts';

export type LoginAttempt = {
  readonly port: number;
  readonly user: string;
  readonly privateKey: PrivateKey;
  readonly certificate?: Buffer;
  readonly respond?: (request: InfoRequest) => readonly string[];
};

/** One login with a client of ours: `in`, or the code of why not. */
export async function attemptLogin(attempt: LoginAttempt): Promise<string> {
  const { privateKey, certificate, respond } = attempt;
  const transport = await connectEncrypted(attempt.port);
  try {
    await authenticateToTarget(transport, {
      user: attempt.user,
      credentials: [
        { method: 'publickey', privateKey, ...(certificate === undefined ? {} : { certificate }) },
        ...(respond === undefined ? [] : [{ method: 'keyboard-interactive' as const, respond }]),
      ],
      timeoutMs: 15_000,
    });
    return 'in';
  } catch (error) {
    if (error instanceof AuthenticationError) return error.code;
    throw error;
  } finally {
    transport.disconnect(11, 'done');
    await transport.ended;
  }
}
