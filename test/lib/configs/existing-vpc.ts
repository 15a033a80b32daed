import { defineDeployment } from '../../../lib/index.ts';

export default defineDeployment({
  name: 'bastion',
  network: {
    kind: 'existing',
    vpcId: 'vpc-0123456789abcdef0',
    cidr: '10.0.0.0/16',
    availabilityZones: ['eu-central-1a', 'eu-central-1b'],
    publicSubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
    taskSubnetIds: ['subnet-0123456789abcdef2', 'subnet-0123456789abcdef3'],
  },
  allowedClientCidrs: ['198.51.100.0/24', '2001:db8::/32'],
  caKeySpec: 'ECC_NIST_EDWARDS25519',
  caGeneration: 2,
  retention: { lockMode: 'COMPLIANCE', lockDays: 30 },
  accountTrail: { kind: 'bucket', bucketName: 'example-trail', prefix: 'trail', regions: ['eu-central-1'] },
  notifyEmails: ['oncall@example.com'],
  gateway: { image: { fromRegistry: '123456789012.dkr.ecr.eu-central-1.amazonaws.com/sshtrail:1' } },
});
