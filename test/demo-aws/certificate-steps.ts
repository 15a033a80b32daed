import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiRoutes } from '#core/contract';
import { type Person, people } from './people.ts';
import { expect } from './processes.ts';
import { signedFetch } from './signed-fetch.ts';
import { openSession } from './ssh-sessions.ts';
import type { Stage } from './stage.ts';

export async function certificates(on: Stage): Promise<string> {
  const refused = await ask(on, 'bob', apiRoutes.certificateWithMfa);
  expect(refused.status === 403, `bob without MFA got ${refused.status} on the MFA route: ${refused.body}`);
  for (const [person, route] of [
    ['alice', apiRoutes.certificateWithMfa],
    ['bob', apiRoutes.certificate],
    ['dave', apiRoutes.certificateWithMfa],
  ] as const) {
    const { status, body } = await ask(on, person, route);
    expect(status === 200, `${person} got ${status}: ${body} ${JSON.stringify(on.api.faults)}`);
    const issued = JSON.parse(body) as { certificate: string; mfa: boolean };
    expect(issued.mfa === people[person].mfa, `the certificate of ${person} says mfa ${issued.mfa}`);
    writeFileSync(join(on.folder, 'keys', `${person}-cert.pub`), `${issued.certificate}\n`);
  }
  return `bob on the MFA route: ${refused.status} ${refused.body}`;
}

function ask(on: Stage, person: Person, route: string) {
  const publicKey = readFileSync(join(on.folder, 'keys', `${person}.pub`), 'utf8');
  return signedFetch(`${on.api.url}${route}`, {
    method: 'POST',
    body: JSON.stringify({ publicKey }),
    region: 'eu-central-1',
    credentials: people[person],
  });
}

export async function openSessions(on: Stage): Promise<string> {
  for (const person of ['alice', 'bob'] as const) {
    on.sessions.set(person, await openSession(on, person, on.gateway.port));
  }
  return 'alice with MFA and bob without are on web-1';
}
