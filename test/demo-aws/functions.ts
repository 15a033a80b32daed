import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type FunctionName, functionNames } from '#core/contract';
import { compiledCode } from '../support/compiled-code.ts';
import type { EmulatedAccount, EmulatedStacks } from './emulated-stacks.ts';
import type { TemplateResource } from './stack-templates.ts';

/** The functions of the stacks, each invocation a process with the environment that its template gives it. */
export type Functions = {
  /** Throws what the function throws. */
  invoke(name: FunctionName, event: unknown): Promise<unknown>;
  /** By the name or ARN the stacks gave it. */
  invokeByName(nameOrArn: string, event: unknown): Promise<unknown>;
  /** What invocations wrote to their logs. */
  readonly logs: readonly string[];
};

const root = new URL('../..', import.meta.url).pathname;
const timeoutMs = 60_000;

export function createFunctions(stacks: EmulatedStacks, account: EmulatedAccount): Functions {
  const logs: string[] = [];
  const byFunction = new Map<FunctionName, TemplateResource>();
  for (const resource of stacks.ofType('AWS::Lambda::Function')) {
    const name = functionNames.find((each) => isFunction(resource, each));
    if (name !== undefined) byFunction.set(name, resource);
  }

  async function invoke(name: FunctionName, event: unknown): Promise<unknown> {
    const resource = byFunction.get(name);
    if (resource === undefined) throw new Error(`the stacks have no function ${name}`);
    const { Variables = {} } = (resource.properties['Environment'] ?? {}) as {
      Variables?: Record<string, never>;
    };
    const variables = Object.entries(Variables).map(
      ([key, value]) => [key, stacks.resolver.text(resource.stack, value)] as const,
    );
    const file = join(root, 'lambdas', name, 'handler.ts');
    if (!existsSync(file)) throw new Error(`${file} is missing`);
    const requestId = randomUUID();
    const child = spawn(process.execPath, [join(root, 'test', 'demo-aws', 'function-process.ts'), file], {
      cwd: root,
      env: { ...functionEnvironment(account), ...Object.fromEntries(variables) },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      timeout: timeoutMs,
    });
    const result = child.stdio[3] as Readable;
    child.stdin.end(
      JSON.stringify({
        event,
        context: {
          awsRequestId: requestId,
          functionName: name,
          timeoutSeconds: Number(resource.properties['Timeout']),
          invokedFunctionArn: stacks.created(resource).attributes['Arn'],
        },
      }),
    );
    const [answer, out, err] = await Promise.all([text(result), text(child.stdout), text(child.stderr)]);
    logs.push(
      ...`${out}${err}`
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => `${name}: ${line}`),
    );
    if (answer === '') throw new Error(`${name} ended without an answer: ${err.slice(-500)}`);
    const parsed = JSON.parse(answer) as { result?: unknown; error?: string };
    if (parsed.error !== undefined) throw new Error(`${name} failed: ${parsed.error}`);
    return parsed.result;
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
