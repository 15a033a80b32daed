import { join } from 'node:path';
import { type Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Runtime } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { DeploymentVariable, FunctionName } from '#core/contract';
import { type Permission, permissionsOf, type Resources, workloadRoleName } from '../permissions/index.ts';

export const repositoryRoot = new URL('../..', import.meta.url).pathname;

export type ProductFunctionProps<Name extends FunctionName> = {
  readonly function: Name;
  readonly deployment: string;
  readonly environment: Readonly<Record<DeploymentVariable<Name>, string>>;
  readonly on: Resources;
  readonly timeout: Duration;
  readonly logRetention: RetentionDays;
  /** For events that were tried three times in vain. Not for functions that are waited for. */
  readonly deadLetters?: IQueue;
  /** Runs at most this many at once. */
  readonly concurrency?: number;
};

/** One of the functions in lambdas/: its bundle, its own role with nothing but its permissions, its log. */
export class ProductFunction<Name extends FunctionName> extends Construct {
  readonly lambda: NodejsFunction;

  constructor(scope: Construct, id: string, props: ProductFunctionProps<Name>) {
    super(scope, id);
    const name = `${props.deployment}-${props.function}`;
    const logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/sshtrail/${props.deployment}/${props.function}`,
      retention: props.logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, 'Role', {
      roleName: workloadRoleName(props.function, props.deployment, Stack.of(this).region),
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    });
    logGroup.grantWrite(role);
    addPermissions(role, permissionsOf(props.function, props.on));
    const needsRunbooks = props.function === 'run-runbook' || props.function === 'act';
    const needsPolicies = props.function === 'control-api';
    this.lambda = new NodejsFunction(this, 'Function', {
      functionName: name,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      entry: join(repositoryRoot, 'lambdas', props.function, 'handler.ts'),
      handler: 'handler',
      depsLockFilePath: join(repositoryRoot, 'package-lock.json'),
      projectRoot: repositoryRoot,
      memorySize: 512,
      timeout: props.timeout,
      role,
      logGroup,
      environment: { ...props.environment },
      ...(props.deadLetters === undefined ? {} : { deadLetterQueue: props.deadLetters }),
      ...(props.concurrency === undefined ? {} : { reservedConcurrentExecutions: props.concurrency }),
      bundling: {
        // The SDK goes in, so that its version is the one that was tested.
        externalModules: [],
        format: OutputFormat.ESM,
        mainFields: ['module', 'main'],
        minify: true,
        keepNames: true,
        target: 'node24',
        banner:
          "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url); const __dirname = import.meta.dirname;",
        ...(needsRunbooks ? { commandHooks: copyRunbooks } : {}),
        ...(needsPolicies ? { commandHooks: copyCedar } : {}),
      },
    });
  }
}

/** Runbooks are read from beside the bundle. */
const copyRunbooks = {
  beforeBundling: () => [],
  beforeInstall: () => [],
  afterBundling: (from: string, to: string) => [
    `mkdir -p ${quoted(join(to, 'runbooks'))}`,
    `cp ${quoted(join(from, 'runbooks'))}/*.yaml ${quoted(join(to, 'runbooks'))}`,
  ],
};

/** Cedar reads its WebAssembly from beside itself. */
const copyCedar = {
  beforeBundling: () => [],
  beforeInstall: () => [],
  afterBundling: (from: string, to: string) => [
    `cp ${quoted(join(from, 'node_modules', '@cedar-policy', 'cedar-wasm', 'nodejs', 'cedar_wasm_bg.wasm'))} ${quoted(to)}`,
  ],
};

export function addPermissions(role: Role, permissions: readonly Permission[]): void {
  for (const { sid, actions, resources, conditions } of permissions)
    role.addToPolicy(
      new PolicyStatement({
        sid,
        actions: [...actions],
        resources: [...resources],
        ...(conditions === undefined ? {} : { conditions: { ...conditions } }),
      }),
    );
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}
