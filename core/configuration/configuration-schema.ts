import { z } from 'zod';
import { printable } from '../wording/index.ts';
import { identity } from './identity-schema.ts';
import { redactionSettings } from './redaction-settings.ts';
import { say } from './say.ts';
import { addressRange, file, hostName, keyLines, port } from './setting-values.ts';

const gateway = z
  .strictObject({
    listen: z
      .strictObject({
        host: hostName.default('127.0.0.1').describe('Address to listen on; 0.0.0.0 and :: are all of them.'),
        port: z.int().min(0).max(65_535).default(2222).describe('0 takes any free port.'),
      })
      .prefault({}),
    proxyId: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{0,58}$/, say('is not a proxy id', 'use a-z, 0-9, dot and dash, at most 59'))
      .default('p-local')
      .describe('Name of this gateway in the events; each one that writes to the same lake needs its own.'),
    eventSource: z
      .string()
      .regex(
        /^[a-z0-9][a-z0-9.-]{1,251}[a-z0-9]$/,
        say('is not an event source', 'write a name such as ssh-proxy.example.com'),
      )
      .default('ssh-proxy.local')
      .describe('eventSource of every event.'),
    workers: z
      .union([z.literal('auto'), z.int().min(1).max(64)])
      .default(1)
      .describe('Processes that share the port, each with its own limits; auto is one a processor core.'),
    region: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, say('is not a region', 'write one such as eu-central-1, or local'))
      .default('local')
      .describe('awsRegion of every event.'),
    account: z
      .string()
      .regex(/^[0-9]{12}$/, say('is not an account id', 'write the 12 digits in quotes'))
      .default('000000000000')
      .describe('recipientAccountId of every event, in quotes; zeros without an account.'),
    algorithms: z
      .enum(['modern', 'compatible', 'fips'])
      .default('modern')
      .describe(
        "What engineers' clients are offered: few and strong, also what older clients need, or NIST curves and AES alone.",
      ),
    loginGraceSeconds: z.int().min(5).max(600).default(30).describe('From connection to authentication.'),
    mfaGraceSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(300)
      .describe(
        'How long a code is good for further connections with the same key from the same address; 0 asks at each of them.',
      ),
    maxAuthAttempts: z.int().min(1).max(20).default(6).describe('Refused attempts of one connection.'),
    maxKeyOffers: z
      .int()
      .min(1)
      .max(100)
      .default(20)
      .describe('Keys that one connection may ask about before it signs with one.'),
    maxBytesBeforeKeys: z
      .int()
      .min(16_384)
      .max(1_048_576)
      .default(262_144)
      .describe('Bytes a peer may send before the first key exchange is done.'),
    maxNoiseBeforeKeys: z
      .int()
      .min(0)
      .max(1000)
      .default(32)
      .describe('Messages that mean nothing (IGNORE, DEBUG) before the first key exchange is done.'),
    maxSessions: z.int().min(1).max(100_000).default(1000).describe('Open sessions of this gateway.'),
    maxConnectionsPerSource: z
      .int()
      .min(1)
      .max(100_000)
      .default(100)
      .describe('Open connections of one address; of one /64 network where it is IPv6.'),
    maxStartsPerSourcePerMinute: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(300)
      .describe('New connections of one address in a minute.'),
    maxStartups: z
      .strictObject({
        begin: z.int().min(1).max(100_000).default(200),
        ratePercent: z.int().min(1).max(100).default(30),
        full: z.int().min(1).max(100_000).default(1000),
      })
      .refine(
        ({ begin, full }) => begin <= full,
        say('begins behind its end', 'write a begin that is not above full'),
      )
      .prefault({})
      .describe(
        'Connections not yet authenticated: from begin on, a new one costs the oldest of the busiest source its place, with ratePercent at first and always at full.',
      ),
    maxChannelsPerConnection: z.int().min(1).max(1000).default(100).describe('Open at once.'),
    maxForwards: z
      .int()
      .min(0)
      .max(10_000)
      .default(256)
      .describe('Ports and sockets forwarded by -R at once.'),
    maxUnansweredRequests: z
      .int()
      .min(1)
      .max(10_000)
      .default(256)
      .describe('Requests of one side that wait for an answer, of the connection.'),
    maxUnansweredChannelRequests: z.int().min(1).max(10_000).default(64).describe('The same of one channel.'),
    maxBacklogBytes: z
      .int()
      .min(2_097_152)
      .max(268_435_456)
      .default(16_777_216)
      .describe('Output a peer may leave untaken before its connection is cut.'),
    writeStallSeconds: z
      .int()
      .min(5)
      .max(3600)
      .default(60)
      .describe('How long a peer may take none of its output.'),
    keepalive: z
      .strictObject({
        seconds: z
          .int()
          .min(0)
          .max(300)
          .default(60)
          .describe('Silence after which the gateway asks whether a side is there; 0 never asks.'),
        maxUnanswered: z.int().min(1).max(100).default(3).describe('Then the session ends.'),
      })
      .prefault({})
      .describe('Of engineers and of targets, once a session stands.'),
    control: z
      .strictObject({
        unreadableSeconds: z
          .int()
          .min(5)
          .max(3600)
          .default(30)
          .describe('After this time without a look at the locks no new session is taken,'),
        onUnreadable: z
          .enum(['keep', 'end'])
          .default('keep')
          .describe('and those that are open go on, or end.'),
      })
      .prefault({})
      .describe('When the control store, which has the locks, cannot be read.'),
    drainSeconds: z
      .int()
      .min(0)
      .max(3600)
      .default(30)
      .describe('What sessions get to end by themselves when the gateway is told to stop.'),
    proxyProtocol: z
      .strictObject({
        from: z
          .array(addressRange)
          .min(1, say('is empty', 'name the load balancers, or remove proxyProtocol'))
          .max(100)
          .describe('Addresses or ranges of load balancers.'),
      })
      .optional()
      .describe(
        'Load balancers that say by PROXY protocol version 2 who connects. They must say it; others are never believed.',
      ),
    rekeyBytes: z
      .int()
      .min(1_048_576)
      .max(1_073_741_824)
      .default(1_073_741_824)
      .describe('New keys after this many bytes either way.'),
    rekeySeconds: z.int().min(60).max(86_400).default(3600).describe('New keys after this time.'),
    banner: z.string().max(4096).optional().describe('Shown before authentication.'),
  })
  .prefault({});

export const label = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}$/, say('is not a label', 'use letters, digits and . _ / : -'));
export const labelValue = z
  .string()
  .max(256)
  .refine(
    (value) => printable(value) === value,
    say('has control or invisible characters', 'write it as plain text'),
  );

const target = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9._-]{0,127}$/,
      say('is not a target name', 'use a-z, 0-9 and . _ -, at most 128, beginning with a letter or digit'),
    )
    .describe('What engineers type: ssh LOGIN@NAME@gateway.'),
  host: hostName.describe('Name or address the gateway connects to.'),
  port: port.default(22),
  labels: z.record(label, labelValue).default({}).describe('Policies call env: prod HostGroup::"env=prod".'),
  logins: z
    .array(
      z
        .string()
        .regex(
          /^[A-Za-z_][A-Za-z0-9_.-]{0,62}\$?$/,
          say('is not a login', 'write the name of a Unix account'),
        ),
    )
    .optional()
    .describe('Accounts that may be asked for at all; any if absent.'),
  hostKeys: keyLines(false)
    .min(1, say('is empty', 'add the line that ssh-keyscan prints, without the host name'))
    .optional()
    .describe('Keys one of which the target must present, as "type base64".'),
  hostAuthority: z
    .strictObject({
      keys: keyLines(false).min(1, say('is empty', 'add the public key of the host certificate authority')),
      principals: z
        .array(z.string().min(1).max(255))
        .min(1)
        .optional()
        .describe('One of these must be in the certificate; the host if absent.'),
    })
    .optional()
    .describe('Instead of hostKeys: trust host certificates of these authorities.'),
  credential: z
    .strictObject({
      keyFile: file.optional().describe('Private key, mode 0600, that the target has in authorized_keys.'),
      passphraseFile: file
        .optional()
        .describe('A file, mode 0600, that holds its passphrase and nothing else.'),
      passwordFile: file
        .optional()
        .describe('A file, mode 0600, that holds the password of the account and nothing else.'),
    })
    .optional()
    .describe(
      'For a server that takes no certificates: logs in with this instead. One of keyFile and passwordFile.',
    ),
});

const runbook = z.strictObject({
  mode: z
    .enum(['auto', 'dry-run', 'off'])
    .default('dry-run')
    .describe('dry-run plans actions and takes none.'),
  inputs: z
    .record(
      z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, say('is not an input name', 'use a-z, 0-9 and _')),
      z.union([z.string().max(4096), z.number(), z.boolean()]),
    )
    .default({}),
});

export const runbookIdPattern = /^[A-Z][A-Z0-9]{1,7}-[0-9]{3}$/;

const webhook = z
  .string()
  .max(4096)
  .refine(
    isWebhook,
    say('is not an https URL', 'write https://...; plain http is for 127.0.0.1 and localhost only'),
  );

const access = z
  .strictObject({
    waitSeconds: z
      .int()
      .min(0)
      .max(3600)
      .default(300)
      .describe('How long a login waits to be approved; 0 tells the id of the request and ends.'),
    requestSeconds: z
      .int()
      .min(60)
      .max(604_800)
      .default(3600)
      .describe('How long a request can be decided on.'),
    grantSeconds: z
      .int()
      .min(60)
      .max(604_800)
      .default(3600)
      .describe('How long access lasts from its approval on, where nothing else was asked for,'),
    maxGrantSeconds: z.int().min(60).max(604_800).default(28_800).describe('and at most.'),
  })
  .refine(
    ({ grantSeconds, maxGrantSeconds }) => grantSeconds <= maxGrantSeconds,
    say('grants for longer than its own most', 'write a grantSeconds that is not above maxGrantSeconds'),
  )
  .prefault({});

export const configurationSchema = z
  .strictObject({
    gateway,
    identities: z.array(identity).max(100_000).describe('Who may prove an identity here.'),
    trustedUserAuthorities: keyLines(false)
      .default([])
      .describe(
        'Authorities whose user certificates identify: a principal of the certificate is an identity name.',
      ),
    targets: z.array(target).max(100_000).describe('Servers behind the gateway.'),
    policies: z
      .strictObject({
        files: z
          .array(file)
          .min(1, say('is empty', 'name at least one .cedar file; without it nothing is allowed')),
      })
      .describe('Cedar policies; together one set.'),
    userAuthority: z
      .strictObject({
        keyFile: file.describe('Private key, mode 0600, that signs the certificate of each session.'),
        validForSeconds: z.int().min(10).max(86_400).default(60).describe('Life of such a certificate.'),
        backdateSeconds: z
          .int()
          .min(0)
          .max(3600)
          .default(30)
          .describe('Begins this much earlier, for clocks that differ.'),
      })
      .describe('Targets trust its public key: TrustedUserCAKeys in sshd_config.'),
    engineerAuthority: z
      .strictObject({
        keyFile: file.describe(
          'Private key, mode 0600, that signs what "sshtrail login" gives out; made when there is none.',
        ),
        validForSeconds: z
          .int()
          .min(60)
          .max(86_400)
          .default(28_800)
          .describe('Longest life of such a certificate.'),
      })
      .optional()
      .describe('Its certificates identify engineers to this gateway. No target may trust its key.'),
    hostAuthority: z
      .strictObject({ keyFile: file.describe('Private key, mode 0600, that signs host certificates.') })
      .optional()
      .describe(
        'Vouches for the gateway as each of its targets inside ssh -J; clients trust its public key.',
      ),
    hostKeys: z
      .strictObject({
        files: z
          .array(file)
          .min(1, say('is empty', 'name at least one private key: ssh-keygen -t ed25519 -f host_key')),
        passphraseFile: file
          .optional()
          .describe('A file, mode 0600, that holds their passphrase and nothing else.'),
      })
      .describe('Private keys by which engineers know this gateway.'),
    recording: z
      .strictObject({
        onFailure: z
          .enum(['close', 'continue'])
          .default('close')
          .describe('When a recording cannot be written: end the session, or go on with events alone.'),
      })
      .prefault({}),
    redaction: redactionSettings,
    evidence: z
      .strictObject({
        keyFile: file
          .default('keys/evidence.pem')
          .describe('Private key, mode 0600, that signs digests and nothing else; made when there is none.'),
        previousKeyFile: file
          .optional()
          .describe('The key before: each stream lets it name the new one, once.'),
        digestEverySeconds: z.int().min(1).max(3600).default(300).describe('How often a digest is signed,'),
        digestEveryRecords: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(10_000)
          .describe('or when so many records wait for it.'),
      })
      .prefault({})
      .describe('How the trail is signed; docs/spec/digest.md.'),
    access: access.describe('Access that somebody else has to approve; docs/access-requests.md.'),
    runbooks: z
      .object({ directory: file.optional().describe('Folder of runbooks; those of the product if absent.') })
      .catchall(runbook)
      .prefault({})
      .describe('Settings by runbook id, e.g. SSH-002.'),
    notify: z
      .strictObject({ webhook: webhook.optional().describe('Notices are POSTed here as JSON.') })
      .prefault({}),
  })
  .meta({ title: 'sshtrail.yaml' });

function isWebhook(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return (
    protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
  );
}
