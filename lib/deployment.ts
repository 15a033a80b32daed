import { z } from 'zod';

const cidr = z
  .string()
  .regex(
    /^(\d{1,3}(\.\d{1,3}){3}\/\d{1,2}|[0-9a-fA-F:]+\/\d{1,3})$/,
    'is no address range such as 198.51.100.0/24',
  );
const accountId = z.string().regex(/^\d{12}$/, 'is no account id of 12 digits');

const network = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('new'),
    /** Of the new VPC. */
    cidr: cidr.default('10.61.0.0/20'),
    /** How tasks reach AWS: a public address each (about 7 USD a month), a NAT gateway (37), or interface endpoints (88). */
    egress: z.enum(['public-ip', 'nat', 'endpoints']).default('public-ip'),
  }),
  z.strictObject({
    kind: z.literal('existing'),
    vpcId: z.string().regex(/^vpc-[0-9a-f]{8,17}$/),
    cidr,
    /** In the order of the subnets. */
    availabilityZones: z.array(z.string()).min(2),
    /** For the load balancer, one a zone. */
    publicSubnetIds: z.array(z.string().regex(/^subnet-[0-9a-f]{8,17}$/)).min(2),
    /** For the tasks, one a zone. They must reach AWS by what the VPC has. */
    taskSubnetIds: z.array(z.string().regex(/^subnet-[0-9a-f]{8,17}$/)).min(2),
    /** Whether tasks need a public address to reach AWS. */
    assignPublicIp: z.boolean().default(false),
  }),
]);

const cloudTrailLake = z.union([
  z.enum(['auto', 'create', 'off']),
  z.strictObject({
    channelArn: z.string().regex(/^arn:aws[\w-]*:cloudtrail:[\w-]+:\d{12}:channel\/[\w-]+$/),
    eventDataStoreId: z.uuid(),
  }),
]);

const accountTrail = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('bucket'),
    /** Where an existing trail of this account delivers to. */
    bucketName: z.string().min(3),
    /** Of the trail, without slashes at its ends. */
    prefix: z.string().default(''),
    regions: z.array(z.string()).min(1),
    /** Of the bucket, where it is encrypted with one. */
    kmsKeyArn: z.string().optional(),
  }),
  z.strictObject({ kind: z.literal('event-data-store'), id: z.uuid() }),
]);

const deploymentSchema = z.strictObject({
  /** Part of names and parameter paths; one per account and region. */
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,23}$/, 'is no name of 2 to 24 characters a-z, 0-9 and dash')
    .default('sshtrail'),
  /** eventSource of every event. */
  eventSource: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,251}[a-z0-9]$/)
    .default('ssh-proxy.example.com'),
  network: network.default({ kind: 'new', cidr: '10.61.0.0/20', egress: 'public-ip' }),
  /** Who may reach the load balancer. Empty: nobody. */
  allowedClientCidrs: z.array(cidr).default([]),
  gateway: z
    .strictObject({
      /** Fargate's units: 1024 is one vCPU. */
      cpu: z
        .union([z.literal(256), z.literal(512), z.literal(1024), z.literal(2048), z.literal(4096)])
        .default(256),
      memoryMiB: z.int().min(512).default(1024),
      tasks: z.int().min(1).max(100).default(2),
      /** On the load balancer. */
      sshPort: z.int().min(1).max(65_535).default(22),
      /** How long sessions hold up a deployment. CloudFormation gives up after 180. */
      maxDrainMinutes: z.int().min(0).max(150).default(60),
      /**
       * The load balancer says by PROXY protocol version 2 who connects, instead of keeping the client's address: for clients that come
       * by PrivateLink or from a peered network, whose address it cannot keep.
       */
      proxyProtocol: z.boolean().default(false),
      /** `build` makes it from proxy-task/Dockerfile at `cdk deploy`; otherwise an image in a registry, by digest or tag. */
      image: z
        .union([z.literal('build'), z.strictObject({ fromRegistry: z.string().min(3) })])
        .default('build'),
      /** For targets without an open port: the package to put into the image, and its digest. */
      sessionManagerPlugin: z
        .strictObject({ url: z.url({ protocol: /^https$/ }), sha256: z.string().regex(/^[0-9a-f]{64}$/) })
        .optional(),
    })
    .prefault({}),
  /** Object Lock of the evidence. In COMPLIANCE mode nobody can shorten it, the account's root included. */
  retention: z
    .strictObject({
      lockMode: z.enum(['GOVERNANCE', 'COMPLIANCE']).default('GOVERNANCE'),
      lockDays: z.int().min(1).max(36_500).default(365),
    })
    .prefault({}),
  cloudTrailLake: cloudTrailLake.default('auto'),
  /** Days an event data store of ours keeps events. */
  lakeRetentionDays: z.int().min(7).max(3653).default(366),
  /** The account's own CloudTrail, so that one query ties sessions to AWS calls. */
  accountTrail: accountTrail.optional(),
  /** Kind of both certificate authorities. Ed25519 where the region's KMS has it. */
  caKeySpec: z.enum(['ECC_NIST_P256', 'ECC_NIST_EDWARDS25519']).default('ECC_NIST_P256'),
  /** One higher makes new authority keys; see "Rotate the certificate authorities" in docs/guide-platform.md. */
  caGeneration: z.int().min(1).max(99).default(1),
  /** Longest life of an engineer's certificate. */
  certificateMaxMinutes: z.int().min(1).max(720).default(60),
  /** Accounts beside this one whose identities may ask for certificates. */
  allowedAccounts: z.array(accountId).default([]),
  /** Accounts whose Identity Center is declared to ask for MFA at every sign-in. */
  identityCenterMfaAccounts: z.array(accountId).default([]),
  /** What runs by the clock; what runs by events is in the runbooks. `rate(...)` or `cron(...)`. */
  runbooks: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[A-Z][A-Z0-9]{1,7}-[0-9]{3}$/),
        engine: z.enum(['athena', 'lake']).default('athena'),
        schedule: z.string().regex(/^(rate|cron)\(.+\)$/),
      }),
    )
    .default([
      { id: 'SSH-001', engine: 'athena', schedule: 'rate(5 minutes)' },
      // Events start it within seconds; the schedule is for what they missed.
      { id: 'SSH-002', engine: 'athena', schedule: 'rate(15 minutes)' },
    ]),
  /**
   * How many runs of runbooks there may be at once; so many of the account's concurrent functions are set aside. 0 sets none aside:
   * needed where the account's quota is still the 10 it begins with, since ten must stay free.
   */
  runbookConcurrency: z.int().min(0).max(100).default(5),
  /** Who is told of findings and alarms. */
  notifyEmails: z.array(z.email()).default([]),
  /** A query that would read more is cut off. */
  scanLimitBytes: z.int().min(10_000_000).default(10_000_000_000),
  /** Security groups whose open port 22 is meant, beside the load balancer's own. */
  exposureAllowedGroups: z.array(z.string().regex(/^sg-[0-9a-f]{8,17}$/)).default([]),
  /** Of the functions' and the gateway's logs. */
  logRetentionDays: z.union([z.literal(30), z.literal(90), z.literal(180), z.literal(365)]).default(90),
});

/** What sshtrail.config.ts says; every field has a default. */
export type DeploymentInput = z.input<typeof deploymentSchema>;
/** With every default filled in. */
export type Deployment = z.output<typeof deploymentSchema>;

class DeploymentConfigError extends Error {
  override readonly name = 'DeploymentConfigError';
  readonly code = 'invalid-deployment';
}

/** Checks and completes a deployment. @throws DeploymentConfigError that lists every problem. */
export function defineDeployment(input: DeploymentInput): Deployment {
  const parsed = deploymentSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `  ${issue.path.join('.') || 'it'}: ${issue.message}`);
  throw new DeploymentConfigError(`the deployment cannot be used; put right:\n${problems.join('\n')}`);
}
