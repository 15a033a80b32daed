export { type CastExport, exportCast } from './export-cast.ts';
export { exportText } from './export-text.ts';
export { htmlPage, type PageOptions, type PageText, type PlayerFiles } from './html-page.ts';
export {
  type PlayerIndex,
  type PlayerOptions,
  type PlayerSegment,
  type PlayerSource,
  playerSource,
} from './player-source.ts';
export { type RenderedText, type RenderLimits, renderedText } from './rendered-text.ts';
export type { ReplayError, ReplayErrorCode } from './replay-error.ts';
export { type ScreenSegment, screenSegments } from './screen-segments.ts';
export { type ScreenTextLimits, screenTextFile, screenTextKey, storeScreenText } from './screen-text-file.ts';
export { type SearchRow, searchRows } from './search-rows.ts';
export { createTerminalState, type EmulatedTerminal } from './terminal-state.ts';
