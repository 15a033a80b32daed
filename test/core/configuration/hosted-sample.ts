import { ed25519Line, totpSecret } from './sample.ts';

/** An AWS form's configuration with nothing wrong; a test changes a line of it. */
export const hostedSample = `gateway: { maxSessions: 50, banner: 'authorised use only' }
awsIdentities:
  - arn: arn:aws:sts::123456789012:assumed-role/Engineer/*
    groups: [engineers]
identities:
  - name: deployer
    type: service
    keys: ['${ed25519Line(2)} deployer@ci']
    sources: [192.0.2.0/24]
  - name: alice
    keys: ['${ed25519Line(5)} alice@laptop']
    totp: { secret: ${totpSecret} }
targets:
  - name: web-1
    host: web-1.example.com
    hostKeys: ['${ed25519Line(3)}']
ec2Inventory:
  enabled: true
  selectTags: { 'sshtrail:target': 'true' }
  labelTags: [env]
  hostAuthority: { keys: ['${ed25519Line(4)} host-ca'] }
  dial: ssm
certificate: { validForSeconds: 90 }
runbooks:
  SSH-002: { mode: auto }
`;
