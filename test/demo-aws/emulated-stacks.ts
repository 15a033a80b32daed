import { AthenaClient, CreateWorkGroupCommand } from '@aws-sdk/client-athena';
import { CreateTableCommand, type CreateTableCommandInput, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateEventBusCommand, EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { CreateBucketCommand, PutObjectLockConfigurationCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { CreateDocumentCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { z } from 'zod';
import {
  type CreatedResource,
  createResolver,
  type Resolver,
  type StackTemplates,
  type TemplateResource,
  type TemplateValue,
} from './stack-templates.ts';

const keyProperties = z.looseObject({
  KeySpec: z
    .enum(['SYMMETRIC_DEFAULT', 'ECC_NIST_P256', 'ECC_NIST_EDWARDS25519'])
    .default('SYMMETRIC_DEFAULT'),
  KeyUsage: z.enum(['ENCRYPT_DECRYPT', 'SIGN_VERIFY']).default('ENCRYPT_DECRYPT'),
});

export type EmulatedAccount = {
  readonly endpoint: string;
  readonly region: string;
  readonly account: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
};

export type EmulatedStacks = {
  readonly resolver: Resolver;
  /** Every resource of a type. */
  ofType(type: string): readonly TemplateResource[];
  /** The one resource of a type whose logical id or properties satisfy the test. */
  one(type: string, is?: (resource: TemplateResource) => boolean): TemplateResource;
  created(resource: TemplateResource): CreatedResource;
  /** How many resources exist in the emulated account. */
  readonly count: number;
};

/** Creates, in the emulated account, what the templates name and the product touches. */
export async function createStacks(
  templates: StackTemplates,
  account: EmulatedAccount,
): Promise<EmulatedStacks> {
  const { region, endpoint, credentials } = account;
  const options = { region, endpoint, credentials, maxAttempts: 3 };
  const clients = {
    s3: new S3Client({ ...options, forcePathStyle: true }),
    dynamo: new DynamoDBClient(options),
    kms: new KMSClient(options),
    sns: new SNSClient(options),
    ssm: new SSMClient(options),
    events: new EventBridgeClient(options),
    athena: new AthenaClient(options),
  };
  const created = new Map<string, CreatedResource>();
  const pseudo = {
    'AWS::AccountId': account.account,
    'AWS::Region': region,
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
    'AWS::StackName': 'sshtrail',
    'AWS::NoValue': '',
  };
  const resolver = createResolver(templates, created, pseudo);
  const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:${account.account}:${rest}`;

  // Names first, since resources refer to each other; a key's name is the one thing that only its creation gives.
  for (const resource of templates.resources) {
    const named = nameOf(resource, arn);
    if (named !== undefined) created.set(idOf(resource), named);
  }
  for (const resource of templates.resources.filter(({ type }) => type === 'AWS::KMS::Key')) {
    const { KeySpec, KeyUsage } = keyProperties.parse(resource.properties);
    const { KeyMetadata } = await clients.kms.send(new CreateKeyCommand({ KeySpec, KeyUsage }));
    const id = KeyMetadata?.KeyId ?? '';
    created.set(idOf(resource), { ref: id, attributes: { Arn: KeyMetadata?.Arn ?? '', KeyId: id } });
  }
  for (const resource of templates.resources) await create(resource);
  return {
    resolver,
    count: created.size,
    ofType: (type) => templates.resources.filter((resource) => resource.type === type),
    one(type, is = () => true) {
      const found = templates.resources.filter((resource) => resource.type === type && is(resource));
      const [only] = found;
      if (only === undefined || found.length > 1)
        throw new Error(`the templates have ${found.length} resources ${type} where one is wanted`);
      return only;
    },
    created(resource) {
      const found = created.get(idOf(resource));
      if (found === undefined) throw new Error(`${idOf(resource)} was not created`);
      return found;
    },
  };

  async function create(resource: TemplateResource): Promise<void> {
    const ref = created.get(idOf(resource))?.ref ?? '';
    switch (resource.type) {
      case 'AWS::S3::Bucket':
        await createBucket(resource, ref);
        return;
      case 'AWS::DynamoDB::Table':
        await clients.dynamo.send(new CreateTableCommand(tableInput(resource, ref)));
        return;
      case 'AWS::SNS::Topic':
        await clients.sns.send(new CreateTopicCommand({ Name: ref.split(':').at(-1) }));
        return;
      case 'AWS::Events::EventBus':
        await clients.events.send(new CreateEventBusCommand({ Name: ref }));
        return;
      case 'AWS::Athena::WorkGroup':
        await clients.athena.send(new CreateWorkGroupCommand({ Name: ref }));
        return;
      case 'AWS::SSM::Parameter':
        await clients.ssm.send(
          new PutParameterCommand({
            Name: ref,
            Value: resolver.text(resource.stack, resource.properties['Value']),
            Type: 'String',
            Overwrite: true,
          }),
        );
        return;
      case 'AWS::SSM::Document':
        await clients.ssm.send(
          new CreateDocumentCommand({
            Name: ref,
            DocumentType: 'Automation',
            DocumentFormat: 'JSON',
            Content: JSON.stringify(resolver.resolve(resource.stack, resource.properties['Content'] ?? {})),
          }),
        );
        return;
      default:
        return;
    }
  }

  async function createBucket(resource: TemplateResource, bucket: string): Promise<void> {
    const locked = resource.properties['ObjectLockEnabled'] === true;
    await clients.s3.send(
      new CreateBucketCommand({
        Bucket: bucket,
        CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' },
        ...(locked ? { ObjectLockEnabledForBucket: true } : {}),
      }),
    );
    if (!locked) return;
    const configured = resolver.resolve(
      resource.stack,
      resource.properties['ObjectLockConfiguration'] ?? {},
    ) as { Rule?: { DefaultRetention?: { Days?: number; Mode?: 'GOVERNANCE' | 'COMPLIANCE' } } };
    const retention = configured.Rule?.DefaultRetention;
    if (retention === undefined) return;
    await clients.s3.send(
      new PutObjectLockConfigurationCommand({
        Bucket: bucket,
        ObjectLockConfiguration: {
          ObjectLockEnabled: 'Enabled',
          Rule: { DefaultRetention: { Mode: retention.Mode, Days: Number(retention.Days) } },
        },
      }),
    );
  }

  function tableInput(resource: TemplateResource, name: string): CreateTableCommandInput {
    const resolved = resolver.resolve(resource.stack, resource.properties);
    const properties = resolved as unknown as CreateTableCommandInput;
    return {
      TableName: name,
      KeySchema: properties.KeySchema,
      AttributeDefinitions: properties.AttributeDefinitions,
      BillingMode: 'PAY_PER_REQUEST',
      ...(properties.LocalSecondaryIndexes === undefined
        ? {}
        : { LocalSecondaryIndexes: properties.LocalSecondaryIndexes }),
    };
  }
}

function textOf(value: TemplateValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function idOf(resource: TemplateResource): string {
  return `${resource.stack}/${resource.logicalId}`;
}

/** The name a resource would get; undefined for types the product does not call by name. */
function nameOf(
  { stack, logicalId, type, properties }: TemplateResource,
  arn: (service: string, rest: string) => string,
): CreatedResource | undefined {
  const generated = `${stack}-${logicalId}`;
  const given = (property: string) => textOf(properties[property]);
  switch (type) {
    case 'AWS::S3::Bucket': {
      const name = given('BucketName') ?? generated.toLowerCase().slice(0, 63).replace(/-$/, '');
      return { ref: name, attributes: { Arn: `arn:aws:s3:::${name}` } };
    }
    case 'AWS::DynamoDB::Table': {
      const name = given('TableName') ?? generated;
      return { ref: name, attributes: { Arn: arn('dynamodb', `table/${name}`) } };
    }
    case 'AWS::SNS::Topic': {
      const topic = arn('sns', given('TopicName') ?? generated);
      return { ref: topic, attributes: { TopicArn: topic, TopicName: given('TopicName') ?? generated } };
    }
    case 'AWS::Events::EventBus': {
      const name = given('Name') ?? generated;
      return { ref: name, attributes: { Arn: arn('events', `event-bus/${name}`), Name: name } };
    }
    case 'AWS::Lambda::Function': {
      const name = given('FunctionName') ?? generated;
      return { ref: name, attributes: { Arn: arn('lambda', `function:${name}`) } };
    }
    case 'AWS::IAM::Role':
      return { ref: generated, attributes: { Arn: arn('iam', `role/${generated}`), RoleId: generated } };
    case 'AWS::ECS::Cluster':
      return { ref: generated, attributes: { Arn: arn('ecs', `cluster/${generated}`) } };
    case 'AWS::ApiGateway::Resource':
    case 'AWS::Athena::WorkGroup':
    case 'AWS::SSM::Document':
    case 'AWS::SSM::Parameter':
      return { ref: given('Name') ?? generated, attributes: { Arn: generated } };
    case 'AWS::ApiGateway::RestApi':
      return { ref: generated, attributes: { RootResourceId: `${generated}-root` } };
    case 'AWS::Glue::Database':
    case 'AWS::EC2::SecurityGroup':
      return { ref: generated.toLowerCase(), attributes: { GroupId: generated.toLowerCase() } };
    case 'AWS::SQS::Queue':
      return { ref: generated, attributes: { Arn: arn('sqs', generated), QueueName: generated } };
    default:
      return undefined;
  }
}
