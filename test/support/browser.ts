import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** A browser this machine has, by its path; undefined where it has none. */
export function installedBrowser(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'chrome'];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

export type Page = {
  /** The value of an expression in the page; a promise is waited for. */
  evaluate(expression: string): Promise<unknown>;
  /** What the page was kept from doing, what it logged as an error, and what it asked a network for. */
  readonly complaints: readonly string[];
  /** A picture of it, PNG. */
  picture(): Promise<Buffer>;
  close(): Promise<void>;
};

type Message = {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
};

/** Opens a file in a browser of its own, without a screen, over the DevTools protocol. */
export async function openPage(browser: string, file: string): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), 'sshtrail-browser-'));
  const child = spawn(
    browser,
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      '--window-size=1000,700',
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    const address = await devtoolsAddress(child.stderr);
    const targets: unknown = await (await fetch(`http://${new URL(address).host}/json/list`)).json();
    const [first] = Array.isArray(targets) ? targets.filter(isPageTarget) : [];
    if (first === undefined) throw new Error('the browser has no page');
    const { send, complaints } = await connect(first.webSocketDebuggerUrl);
    for (const domain of ['Page', 'Log', 'Runtime', 'Network']) await send(`${domain}.enable`, {});
    await send('Page.navigate', { url: `file://${file}` });
    return {
      complaints,
      async evaluate(expression) {
        const answer = await send('Runtime.evaluate', {
          expression,
          awaitPromise: true,
          returnByValue: true,
        });
        const { result, exceptionDetails } = answer;
        if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
        return typeof result === 'object' && result !== null && 'value' in result ? result.value : undefined;
      },
      picture: async () =>
        Buffer.from(String((await send('Page.captureScreenshot', { format: 'png' }))['data']), 'base64'),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function isPageTarget(value: unknown): value is { readonly webSocketDebuggerUrl: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    value.type === 'page' &&
    'webSocketDebuggerUrl' in value &&
    typeof value.webSocketDebuggerUrl === 'string'
  );
}

async function devtoolsAddress(stderr: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stderr })) {
    const address = /^DevTools listening on (ws:\S+)$/.exec(line)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error('the browser ended before it listened');
}

async function connect(url: string) {
  const socket = new WebSocket(url);
  const waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  const complaints: string[] = [];
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    const { id, method, params = {} } = message;
    if (id !== undefined) {
      const { error, result = {} } = message;
      if (error === undefined) waiting.get(id)?.resolve(result);
      else waiting.get(id)?.reject(new Error(error.message));
    } else if (method === 'Log.entryAdded' || method === 'Runtime.exceptionThrown')
      complaints.push(JSON.stringify(params));
    else if (method === 'Network.requestWillBeSent') {
      const { request } = params as { request?: { url?: string } };
      if (request?.url?.startsWith('file:') !== true) complaints.push(`request for ${request?.url}`);
    }
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error(`cannot connect to ${url}`)));
  });
  const send = (method: string, params: object): Promise<Record<string, unknown>> => {
    last += 1;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    waiting.set(last, answer);
    socket.send(JSON.stringify({ id: last, method, params }));
    return answer.promise;
  };
  return { send, complaints };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
