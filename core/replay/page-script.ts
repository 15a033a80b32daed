/**
 * Starts the player of an exported page. The player fetches its segments; here they come out of the page, and nothing else is to be
 * had. It runs in a browser and is text here: its hash is in the page's policy.
 */
export const pageScript = `
'use strict';
(() => {
  const load = async (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip')));
  };
  window.fetch = async (url) => {
    const name = /^recording:(index|segment-[0-9]+)$/.exec(String(url));
    if (name === null) throw new TypeError('this page loads nothing');
    return load(name[1]);
  };
  const start = async () => {
    const startAt = await (await load('start')).json();
    const source = { driver: 'recording', format: 'segmented', url: 'recording:index' };
    const player = AsciinemaPlayer.create(source, document.getElementById('player'), {
      startAt,
      fit: 'width',
      controls: true,
      preload: true,
    });
    window.player = player;
    if (startAt > 0) await player.seek(startAt);
  };
  start().catch((error) => {
    document.getElementById('problem').textContent = 'The recording cannot be played: ' + error.message;
  });
})();
`;
