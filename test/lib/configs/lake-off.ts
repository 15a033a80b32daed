import { defineDeployment } from '../../../lib/index.ts';

export default defineDeployment({ cloudTrailLake: 'off', network: { kind: 'new', egress: 'endpoints' } });
