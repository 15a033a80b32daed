import { defineDeployment } from './lib/deployment.ts';

/**
 * The one place to configure a deployment. Every field has a default and is described in lib/deployment.ts; your editor shows it.
 * What engineers, targets and policies are is not here: that lies in Parameter Store, see docs/guide-platform.md.
 */
export default defineDeployment({
  name: 'sshtrail',
  eventSource: 'ssh-proxy.example.com',
  // Where your engineers come from. With none, nobody reaches the gateway.
  allowedClientCidrs: [],
  retention: { lockMode: 'GOVERNANCE', lockDays: 365 },
  cloudTrailLake: 'auto',
  notifyEmails: [],
});
