import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createWebhookNotifier } from '../../../../adapters/local/index.ts';
import type { Notice } from '../../../../core/contract/index.ts';

const notice: Notice = {
  severity: 'critical',
  title: 'Key\u001b[2J',
  text: 'line\nfeed',
  runbookId: 'SSH-001',
};

async function receiver(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/T000/secret-token`;
}

function notifier(url: string, timeoutMs = 5000) {
  return createWebhookNotifier({ url, fetch, timeoutMs });
}

describe('createWebhookNotifier', () => {
  it('posts the notice as JSON, its text made harmless', async () => {
    const requests: { method: string | undefined; type: string | undefined; body: unknown }[] = [];
    const url = await receiver((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => {
        const { method, headers } = request;
        requests.push({ method, type: headers['content-type'], body: JSON.parse(body) });
        response.end('ok');
      });
    });

    await notifier(url).notify(notice);

    expect(requests).toEqual([
      {
        method: 'POST',
        type: 'application/json',
        body: { severity: 'critical', title: 'Key\\u{1b}[2J', text: 'line\\u{a}feed', runbookId: 'SSH-001' },
      },
    ]);
  });

  it('rejects where the receiver refuses', async () => {
    const url = await receiver((_request, response) => void response.writeHead(403).end('no'));

    await expect(notifier(url).notify(notice)).rejects.toMatchObject({
      name: 'NotifierError',
      code: 'refused',
    });
  });

  it('follows no redirect', async () => {
    let elsewhere = 0;
    const other = await receiver((_request, response) => {
      elsewhere += 1;
      response.end();
    });
    const url = await receiver(
      (_request, response) => void response.writeHead(307, { location: other }).end(),
    );

    await expect(notifier(url).notify(notice)).rejects.toMatchObject({ code: 'unreachable' });
    expect(elsewhere).toBe(0);
  });

  it('gives up at its deadline', async () => {
    const url = await receiver(() => undefined);

    await expect(notifier(url, 50).notify(notice)).rejects.toMatchObject({ code: 'deadline' });
  });

  it('shows the receiver but not its path, which may be a secret', async () => {
    const url = await receiver((_request, response) => void response.writeHead(500).end());
    const gone = 'http://127.0.0.1:1/T000/secret-token';

    for (const address of [url, gone]) {
      const error: unknown = await notifier(address)
        .notify(notice)
        .catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(Error);
      expect(inspect(error, { depth: 10 })).toContain('127.0.0.1');
      expect(inspect(error, { depth: 10 })).not.toContain('secret-token');
    }
  });

  it.each([
    '',
    'example.com/hook',
    'file:///etc/passwd',
    'ftp://example.com/',
    'https://user:pass@example.com/',
  ])('refuses the address %j', (url) => {
    expect(() => notifier(url)).toThrow(expect.objectContaining({ code: 'invalid-url' }));
  });
});
