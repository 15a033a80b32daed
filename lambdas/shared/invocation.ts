import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SSMClient } from '@aws-sdk/client-ssm';
import {
  createDynamoControlStore,
  createS3BlobRemover,
  createS3BlobStore,
  type ObjectJournalOptions,
  openObjectJournal,
} from '#adapters/aws';
import type {
  BlobStore,
  ControlStore,
  DeploymentVariable,
  EventOrigin,
  EventSink,
  FunctionName,
  Journal,
} from '#core/contract';
import { streamName } from '#core/contract';
import { journalSinks } from './journal-sinks.ts';
import { createLazyJournal } from './lazy-journal.ts';
import type { Log } from './log.ts';
import type { Count } from './metrics.ts';

/** What one invocation works with. */
export type Invocation = {
  /** A stream of its own, which is begun at the first record. */
  readonly journal: Journal;
  readonly control: ControlStore;
  readonly evidence: BlobStore;
  readonly origin: EventOrigin;
  readonly stores: InvocationStores;
  /** Seals and delivers what was recorded. Nothing of the invocation may go on after. */
  close(): Promise<void>;
};

export type InvocationStores = {
  readonly control: ControlStore;
  readonly evidence: BlobStore;
  /** The journal bucket, */
  readonly journal: BlobStore;
  /** and what removes from it. */
  readonly remover: ObjectJournalOptions['remover'];
  /** Asked for at the first record. */
  readonly sinks: () => Promise<readonly EventSink[]>;
};

export type InvocationOptions = {
  readonly stores: InvocationStores;
  readonly origin: EventOrigin;
  readonly functionName: FunctionName;
  readonly log: Log;
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
};

/** Opens an invocation over stores that are there; `openInvocation` makes them of clients. */
export function startInvocation(options: InvocationOptions): Invocation {
  const { stores, origin, functionName, log, now, randomBytes } = options;
  const journal = createLazyJournal(async () => {
    const stream = streamName(`${functionName}-${Buffer.from(randomBytes(8)).toString('hex')}`);
    return openObjectJournal({
      stream,
      origin,
      proxyId: stream,
      role: 'function',
      journal: stores.journal,
      remover: stores.remover,
      evidence: stores.evidence,
      control: stores.control,
      sinks: await stores.sinks(),
      now,
      randomBytes,
      onFault: (error) => log.error('the audit journal has a fault', error, { stream }),
    });
  });
  return {
    journal,
    control: stores.control,
    evidence: stores.evidence,
    origin,
    stores,
    async close() {
      try {
        await journal.close();
      } finally {
        await stores.control.close();
      }
    },
  };
}

export type InvocationClients = {
  /** The stores try again themselves: with `maxAttempts: 1`. */
  readonly s3: S3Client;
  readonly dynamoDb: DynamoDBClient;
  readonly eventBridge: EventBridgeClient;
  readonly ssm: SSMClient;
  /** Of PutAuditEvents, which no SDK client speaks; the region's own when absent. */
  readonly lakeEndpoint?: string;
};

export type OpenInvocationOptions = Omit<InvocationOptions, 'stores' | 'origin'> & {
  /** As `readEnvironment` gives it for any function. */
  readonly environment: Readonly<
    Record<DeploymentVariable<'act'> & DeploymentVariable<'issue-certificate'>, string>
  >;
  readonly region: string;
  readonly clients: InvocationClients;
  readonly count: Count;
  readonly fetch: typeof fetch;
};

/** Opens an invocation over the deployment's buckets and table. It makes no call before something is asked of it. */
export function openInvocation(options: OpenInvocationOptions): Invocation {
  const { environment, region, clients, functionName, log, now, randomBytes } = options;
  const { s3 } = clients;
  const journalBucket = { client: s3, bucket: environment.SSHTRAIL_JOURNAL_BUCKET };
  return startInvocation({
    functionName,
    log,
    now,
    randomBytes,
    origin: {
      eventSource: environment.SSHTRAIL_EVENT_SOURCE,
      awsRegion: region,
      recipientAccountId: environment.SSHTRAIL_ACCOUNT,
    },
    stores: {
      control: createDynamoControlStore({
        client: clients.dynamoDb,
        table: environment.SSHTRAIL_CONTROL_TABLE,
        now,
      }),
      evidence: createS3BlobStore({ client: s3, bucket: environment.SSHTRAIL_EVIDENCE_BUCKET }),
      journal: createS3BlobStore(journalBucket),
      remover: createS3BlobRemover(journalBucket),
      sinks: () =>
        journalSinks({
          eventBridge: clients.eventBridge,
          ssm: clients.ssm,
          credentials: () => s3.config.credentials(),
          bus: environment.SSHTRAIL_EVENT_BUS,
          lakeChannelParameter: environment.SSHTRAIL_LAKE_CHANNEL_PARAMETER,
          account: environment.SSHTRAIL_ACCOUNT,
          region,
          fetch: options.fetch,
          ...(clients.lakeEndpoint === undefined ? {} : { lakeEndpoint: clients.lakeEndpoint }),
          log,
          count: options.count,
          now,
        }),
    },
  });
}
