/** Beside the player's own. */
export const pageStyle = `
body { margin: 1.5rem; font: 14px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; }
h1 { font-size: 1.2rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 1rem; }
dt { color: #57606a; }
dd { margin: 0; overflow-wrap: anywhere; }
#player { max-width: 80rem; }
#problem { color: #b3261e; }
#problem:empty { display: none; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e9ec; background: #14171a; }
  dt { color: #9aa4ae; }
}
`;
