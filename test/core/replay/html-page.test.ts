import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { readPlayerFiles } from '../../../cli/player-files.ts';
import { htmlPage, type PageOptions, playerSource, screenSegments } from '../../../core/replay/index.ts';
import { installedBrowser, openPage } from '../../support/browser.ts';
import { recorded, type Timed } from '../../support/segmented-recording.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** What a host that means harm would show: it tries to leave its place in the page, in text, titles, links and marker labels. */
const attack =
  '</script><script>window.attacked = 1</script><!--<script>\u2028<img src=x onerror="window.attacked=2">';
const hostile: readonly Timed[] = Array.from({ length: 60 }, (_, n) => {
  if (n === 7) return [n * 1000, { code: 'm', label: attack }] as const;
  return [
    n * 1000,
    `row ${n} ${attack}\r\n\u001b]0;${attack}\u0007\u001b]8;;javascript:alert(1)\u0007x\u001b]8;;\u0007`,
  ] as const;
});

async function page(events: readonly Timed[] = hostile, options: PageOptions = {}): Promise<string> {
  const { store, key, manifest } = await recorded(events, { head: { columns: 100, rows: 20 } });
  const source = playerSource(screenSegments(store, key, manifest), { seconds: manifest.seconds });
  const text = {
    title: `carol ${attack}`,
    facts: [
      ['Session', manifest.sessionId],
      ['Place', attack],
    ],
  } as const;
  return (await Array.fromAsync(htmlPage(source, text, await readPlayerFiles(), options))).join('');
}

function blockOf(html: string, id: string): unknown {
  const base64 = new RegExp(
    `<script type="application/octet-stream" id="${id}">([A-Za-z0-9+/=]+)</script>`,
  ).exec(html)?.[1];
  return JSON.parse(gunzipSync(Buffer.from(base64 ?? '', 'base64')).toString());
}

describe('an exported page', () => {
  it('allows its own two scripts and its style by their hashes, and nothing else', async () => {
    const html = await page();

    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1] ?? '';
    const scripts = [...html.matchAll(/<script>([^]*?)<\/script>/g)].map(([, text = '']) => hashOf(text));
    const styles = [...html.matchAll(/<style>([^]*?)<\/style>/g)].map(([, text = '']) => hashOf(text));
    expect(scripts).toHaveLength(2);
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      `script-src ${scripts.join(' ')} 'wasm-unsafe-eval'`,
      `style-src ${styles.join(' ')}`,
      "base-uri 'none'",
      "form-action 'none'",
    ]);
  });

  it('has nothing of a hostile host outside of its data and its escaped texts', async () => {
    const html = await page();

    expect(html).not.toContain('window.attacked = 1</script>');
    expect(html).not.toContain('<img');
    expect(html).not.toContain('\u2028');
    expect(html).toContain('&#60;/script&#62;');
    expect(html.match(/<script/g)).toHaveLength(2 + 6 + 2);
  });

  it('carries the whole recording', async () => {
    const html = await page();

    const index = blockOf(html, 'index');
    const second = blockOf(html, 'segment-1');
    expect(index).toMatchObject({
      version: 1,
      duration: 59,
      markers: [[7, attack]],
      term: { cols: 100, rows: 20 },
    });
    expect(second).toMatchObject({
      snapshot: { cols: 100, rows: 20, init: expect.stringContaining('row 9') },
    });
  });

  it('is refused where it would be larger than a browser opens', async () => {
    await expect(page(hostile, { maxBytes: 1000 })).rejects.toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
  });
});

/** One, or none where the machine has none. */
const browsers = [installedBrowser()].filter((path) => path !== undefined);
describe.each(browsers)('an exported page in %s', (browser) => {
  it('plays offline, opens at its second, and lets nothing of a hostile host run', {
    timeout: 60_000,
  }, async () => {
    const file = join(temporaryFolder(), 'page.html');
    writeFileSync(file, await page(hostile, { startSeconds: 35 }));
    const opened = await openPage(browser, file);
    onTestFinished(() => opened.close());
    const screen = () => opened.evaluate(`document.querySelector('#player')?.innerText ?? ''`);

    await vi.waitFor(async () => expect(await screen()).toContain('row 35'), {
      timeout: 40_000,
      interval: 100,
    });

    expect(await screen()).not.toContain('row 36');
    await opened.evaluate('window.player.seek(10.5)');
    await vi.waitFor(async () => expect(await screen()).not.toContain('row 11'), { timeout: 10_000 });
    await vi.waitFor(async () => expect(await screen()).toContain('row 10'));
    await opened.evaluate('window.player.play()');
    await vi.waitFor(async () => expect(await screen()).toContain('row 11'), { timeout: 20_000 });
    expect(await opened.evaluate('window.attacked ?? 0')).toBe(0);
    expect(await opened.evaluate(`document.querySelectorAll('img, a[href]').length`)).toBe(0);
    expect(await opened.evaluate(`fetch('https://example.com/').catch((error) => error.message)`)).toBe(
      'this page loads nothing',
    );
    expect(opened.complaints).toEqual([]);
  });
});

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
