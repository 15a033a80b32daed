import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type FakeService, jsonAnswer, jsonError } from './fake-aws.ts';

export type FakeSession = {
  readonly id: string;
  readonly target: string;
  readonly port: number;
  readonly token: string;
  state: 'open' | 'terminated';
};

export type FakeSsmSessions = FakeService & { readonly sessions: readonly FakeSession[] };

const startInput = z.looseObject({
  Target: z.string().regex(/^(mi|i)-[0-9a-f]{8,40}$/),
  DocumentName: z.literal('AWS-StartSSHSession'),
  Parameters: z.strictObject({ portNumber: z.tuple([z.string().regex(/^\d{1,5}$/)]) }),
});
const terminateInput = z.looseObject({ SessionId: z.string() });

/** Sessions of Session Manager for SSH. Leaves everything else of the service to others. */
export function fakeSsmSessions(
  options: { readonly isConnected?: (instanceId: string) => boolean } = {},
): FakeSsmSessions {
  const sessions: FakeSession[] = [];
  return {
    service: 'ssm',
    sessions,
    handle({ operation, body, region }) {
      if (operation === 'StartSession') {
        const parsed = startInput.safeParse(JSON.parse(body.toString('utf8')));
        if (!parsed.success) return jsonError(400, 'ValidationException', parsed.error.message);
        const { Target, Parameters } = parsed.data;
        if (options.isConnected?.(Target) === false)
          return jsonError(400, 'TargetNotConnected', `${Target} is not connected.`);
        const id = `gateway-${randomUUID()}`;
        const token = randomBytes(300).toString('base64url');
        sessions.push({ id, target: Target, port: Number(Parameters.portNumber[0]), token, state: 'open' });
        return jsonAnswer({
          SessionId: id,
          TokenValue: token,
          StreamUrl: `wss://ssmmessages.${region}.amazonaws.com/v1/data-channel/${id}?role=publish_subscribe`,
        });
      }
      if (operation === 'TerminateSession') {
        const { SessionId } = terminateInput.parse(JSON.parse(body.toString('utf8')));
        for (const session of sessions) if (session.id === SessionId) session.state = 'terminated';
        return jsonAnswer({ SessionId });
      }
      return undefined;
    },
  };
}
