import { z } from 'zod';
import { configurationSchema, label, labelValue } from './configuration-schema.ts';
import { say } from './say.ts';
import { keyLines } from './setting-values.ts';

const { shape } = configurationSchema;
const identity = shape.identities.element;
const totp = identity.shape.totp.unwrap();

const awsIdentity = z.strictObject({
  arn: z
    .string()
    .max(1024)
    .regex(
      /^arn:aws(?:-cn|-us-gov)?:(?:iam::[0-9]{12}:user|sts::[0-9]{12}:assumed-role)\/[\w+=,.@*/-]+$/,
      say(
        'is not the ARN of users or of sessions of a role',
        'write arn:aws:iam::ACCOUNT:user/NAME or arn:aws:sts::ACCOUNT:assumed-role/ROLE/*, the 12 digits of the account written out',
      ),
    )
    .describe(
      'A user, or sessions of a role: arn:aws:sts::ACCOUNT:assumed-role/ROLE/*; * stands for any text.',
    ),
  groups: identity.shape.groups
    .unwrap()
    .min(1, say('is empty', 'name at least one group, or remove the entry'))
    .describe('What policies call Group.'),
});

/** Everything under one path, so that the role of the gateway may read that and nothing else. */
const credential = z
  .strictObject({
    kind: z
      .enum(['key', 'password'])
      .describe('A private key that the target has in authorized_keys, or the password of the account.'),
    store: z
      .enum(['parameter-store', 'secrets-manager'])
      .default('parameter-store')
      .describe('A SecureString of Parameter Store, or a secret of Secrets Manager, as plain text.'),
    name: z
      .string()
      .max(128)
      .regex(
        /^[A-Za-z0-9_.-]+$/,
        say('is not the name of a secret', 'use letters, digits and . _ -, without the path before it'),
      )
      .describe(
        'What follows /sshtrail/DEPLOYMENT/targets/ in Parameter Store, sshtrail/DEPLOYMENT/targets/ in Secrets Manager.',
      ),
  })
  .describe('For a server that takes no certificates: logs in with this instead.');

/** https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html */
const tagName = z
  .string()
  .max(128)
  .regex(
    /^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u,
    say('is not the name of a tag', 'use letters, digits, blanks and _ . : / = + - @'),
  );

const ec2Inventory = z.strictObject({
  enabled: z.boolean().default(false).describe('Instances with the tags below become targets.'),
  nameTag: tagName.default('Name').describe("The tag whose value is the target's name."),
  selectTags: z
    .record(tagName, labelValue)
    .default({})
    .describe('Tags and values an instance must have, all of them, to become a target.'),
  labelTags: z.array(label).max(50).default([]).describe('Tags that become labels.'),
  loginsTag: tagName
    .optional()
    .describe('The tag that lists the accounts that may be asked for, separated by blanks; any if absent.'),
  address: z.enum(['private', 'public']).default('private').describe('Which address the gateway dials.'),
  hostAuthority: z
    .strictObject({
      keys: keyLines(false).min(1, say('is empty', 'add the public key of the host certificate authority')),
    })
    .optional()
    .describe('Trust host certificates of these authorities.'),
  dial: z
    .enum(['direct', 'ssm'])
    .default('direct')
    .describe('ssm goes through Session Manager, so that no port need be open.'),
  auth: z
    .enum(['certificate', 'instance-connect'])
    .default('certificate')
    .describe('instance-connect pushes a key for a minute, where sshd does not trust the authority.'),
});

/** ECS kills a task 120 s after it told it to stop; what follows the grace (ends on record, the last segments) has the rest. */
const maxDrainSeconds = 85;

/** `sshtrail.yaml` on AWS: what the deployment does not give itself. */
export const hostedConfigurationSchema = z
  .strictObject({
    gateway: shape.gateway
      .unwrap()
      .omit({
        listen: true,
        proxyId: true,
        eventSource: true,
        region: true,
        account: true,
        proxyProtocol: true,
      })
      .extend({
        drainSeconds: z
          .int()
          .min(0)
          .max(maxDrainSeconds)
          .default(maxDrainSeconds)
          .describe('What sessions get to end by themselves when the task is told to stop.'),
      })
      .prefault({}),
    identities: z
      .array(
        identity.extend({
          totp: totp
            .omit({ secretFile: true })
            .extend({ secret: totp.shape.secret.describe('Base32.') })
            .optional()
            .describe('Second factor: codes of an authenticator app.'),
        }),
      )
      .max(100_000)
      .default([])
      .describe('Who may prove an identity here by a key of their own, beside those IAM knows.'),
    awsIdentities: z
      .array(awsIdentity)
      .max(10_000)
      .default([])
      .describe('Groups of those whom IAM knows; all entries that fit count.'),
    trustedUserAuthorities: shape.trustedUserAuthorities,
    targets: z
      .array(shape.targets.element.extend({ credential: credential.optional() }))
      .max(100_000)
      .default([])
      .describe('Servers behind the gateway.'),
    ec2Inventory: ec2Inventory.optional().describe('EC2 instances as targets.'),
    certificate: shape.userAuthority
      .omit({ keyFile: true })
      .prefault({})
      .describe('The certificate that each session shows to its target.'),
    recording: shape.recording,
    redaction: shape.redaction,
    access: shape.access,
    runbooks: shape.runbooks
      .unwrap()
      .omit({ directory: true })
      .prefault({})
      .describe('Settings by runbook id, e.g. SSH-002.'),
  })
  .meta({ title: 'sshtrail.yaml on AWS' });
