import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type FunctionName, functionNames } from '#core/contract';
import { compiledCode } from '../support/compiled-code.ts';
import type { EmulatedAccount, EmulatedStacks } from './emulated-stacks.ts';
import { createFunctionEnvironments, type FunctionEnvironments } from './function-environments.ts';
import type { TemplateResource } from './stack-templates.ts';

/** The functions of the stacks, in processes with the variables that their templates give them. */
export type Functions = {
  /** Throws what the function throws. */
  invoke(name: FunctionName, event: unknown): Promise<unknown>;
  /** By the name or ARN the stacks gave it. */
  invokeByName(nameOrArn: string, event: unknown): Promise<unknown>;
  /** What invocations wrote to their logs. */
  readonly logs: readonly string[];
  close(): Promise<void>;
};

const root = new URL('../..', import.meta.url).pathname;

export function createFunctions(stacks: EmulatedStacks, account: EmulatedAccount): Functions {
  const logs: string[] = [];
  const running = new Map<FunctionName, FunctionEnvironments>();
  const byFunction = new Map<FunctionName, TemplateResource>();
  for (const resource of stacks.ofType('AWS::Lambda::Function')) {
    const name = functionNames.find((each) => isFunction(resource, each));
    if (name !== undefined) byFunction.set(name, resource);
  }

  const environmentsOf = (name: FunctionName): FunctionEnvironments => {
    const known = running.get(name);
    if (known !== undefined) return known;
    const { stack, properties } = resourceOf(name);
    const { Variables = {} } = (properties['Environment'] ?? {}) as { Variables?: Record<string, never> };
    const variables = Object.entries(Variables).map(
      ([key, value]) => [key, stacks.resolver.text(stack, value)] as const,
    );
    const file = join(root, 'lambdas', name, 'handler.ts');
    if (!existsSync(file)) throw new Error(`${file} is missing`);
    const environments = createFunctionEnvironments({
      name,
      file,
      environment: { ...functionEnvironment(account), ...Object.fromEntries(variables) },
      log: (line) => logs.push(line),
    });
    running.set(name, environments);
    return environments;
  };

  function resourceOf(name: FunctionName): TemplateResource {
    const resource = byFunction.get(name);
    if (resource === undefined) throw new Error(`the stacks have no function ${name}`);
    return resource;
  }

  async function invoke(name: FunctionName, event: unknown): Promise<unknown> {
    const resource = resourceOf(name);
    return environmentsOf(name).invoke(event, {
      awsRequestId: randomUUID(),
      functionName: name,
      timeoutSeconds: Number(resource.properties['Timeout']),
      invokedFunctionArn: stacks.created(resource).attributes['Arn'],
    });
  }

  return {
    logs,
    invoke,
    invokeByName(nameOrArn, event) {
      const wanted = nameOrArn.split(':').at(-1) ?? '';
      for (const [name, resource] of byFunction)
        if (stacks.created(resource).ref === wanted) return invoke(name, event);
      return Promise.reject(new Error(`no function is named ${nameOrArn}`));
    },
    async close() {
      for (const environments of running.values()) await environments.close();
    },
  };
}

/** What every process of the emulated account has; nothing of this machine's own AWS settings. */
export function functionEnvironment(account: EmulatedAccount): Record<string, string> {
  return {
    ...compiledCode,
    PATH: process.env['PATH'] ?? '',
    AWS_REGION: account.region,
    AWS_ENDPOINT_URL: account.endpoint,
    AWS_ACCESS_KEY_ID: account.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: account.credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
}

/** Stacks name a function after its folder, in the words that logical ids allow. */
function isFunction({ logicalId, properties }: TemplateResource, name: FunctionName): boolean {
  const pascal = name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
  const given = properties['FunctionName'];
  return typeof given === 'string' ? given.endsWith(`-${name}`) : logicalId.startsWith(pascal);
}
