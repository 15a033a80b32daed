import { defineDeployment } from '../../../lib/index.ts';

export default defineDeployment({
  cloudTrailLake: {
    channelArn: 'arn:aws:cloudtrail:eu-central-1:123456789012:channel/01234567-89ab-4cde-8f01-23456789abcd',
    eventDataStoreId: '11111111-2222-4333-8444-555555555555',
  },
  accountTrail: { kind: 'event-data-store', id: '66666666-7777-4888-9999-aaaaaaaaaaaa' },
  network: { kind: 'new', egress: 'nat' },
  runbooks: [{ id: 'SSH-002', engine: 'lake', schedule: 'rate(15 minutes)' }],
});
