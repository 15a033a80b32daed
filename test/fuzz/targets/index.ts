import type { FuzzTarget } from '../fuzz-target.ts';
import { coreTargets } from './core-targets.ts';
import { keyTargets } from './key-targets.ts';
import { messageTargets } from './message-targets.ts';
import { packetTargets } from './packet-targets.ts';
import { sessionTargets } from './session-targets.ts';
import { transferTargets } from './transfer-targets.ts';

export const targets: readonly FuzzTarget[] = [
  ...sessionTargets,
  ...packetTargets,
  ...messageTargets,
  ...keyTargets,
  ...coreTargets,
  ...transferTargets,
];
