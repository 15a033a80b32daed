import { defineDeployment } from '../../../lib/index.ts';

export default defineDeployment({ cloudTrailLake: 'create' });
