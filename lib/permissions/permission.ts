/** What statements are made over: ARNs, most of them known at deployment only. */
export type Resources = {
  readonly evidenceBucket: string;
  readonly journalBucket: string;
  readonly dataKey: string;
  readonly controlTable: string;
  readonly engineerAuthority: string;
  readonly targetAuthority: string;
  /** Signs digests. */
  readonly evidenceKey: string;
  readonly eventBus: string;
  readonly noticeTopic: string;
  readonly workgroup: string;
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  readonly name: string;
  readonly glueDatabase: string;
  readonly cluster: string;
  readonly accountTrailBucket?: string;
  readonly accountTrailKey?: string;
  /** What KMS calls the one way in which the authorities sign. */
  readonly signingAlgorithm: 'ECDSA_SHA_256' | 'ED25519_SHA_512';
  /** Channels of CloudTrail Lake that events may go to; none where Lake is off. */
  readonly lakeChannels: readonly string[];
  /** Event data stores that runbooks may query. */
  readonly eventDataStores: readonly string[];
};

/** One statement of a role, with why it is needed. */
export type Permission = {
  readonly sid: string;
  readonly reason: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
};

export function parameterArn(on: Resources, rest: string): string {
  return `arn:${on.partition}:ssm:${on.region}:${on.account}:parameter/sshtrail/${on.name}/${rest}`;
}
