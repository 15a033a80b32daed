import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { EmulatedAccount, EmulatedStacks } from './emulated-stacks.ts';
import { functionEnvironment } from './functions.ts';
import { accountNumber } from './people.ts';
import { stopProcess, until } from './processes.ts';
import type { TemplateValue } from './stack-templates.ts';

export type GatewayTask = {
  readonly taskArn: string;
  readonly port: number;
  readonly process: ChildProcess;
  readonly log: () => string;
  close(): Promise<void>;
};

/** Tasks of one service, with so many processes each. They start one at a time, since their configuration is in one place. */
export type GatewayTasks = {
  /** Begins one for whoever takes it. */
  prepare(workers: number): void;
  /** The one that was prepared, or a fresh one. */
  take(workers: number): Promise<GatewayTask>;
  close(): Promise<void>;
};

const root = new URL('../..', import.meta.url).pathname;

/** The `number`th task of the service, running the task's own main. */
export async function startGatewayTask(
  stacks: EmulatedStacks,
  account: EmulatedAccount,
  number: number,
): Promise<GatewayTask> {
  const taskArn = `arn:aws:ecs:${account.region}:${accountNumber}:task/sshtrail/${String(number).padStart(32, '0')}`;
  const metadata = await startMetadata(taskArn);
  try {
    const task = await startMain(stacks, account, metadata.url);
    return {
      ...task,
      taskArn,
      async close() {
        await stopProcess(task.process);
        await closeServer(metadata.server);
      },
    };
  } catch (error) {
    await closeServer(metadata.server);
    throw error;
  }
}

export function gatewayTasks(start: (number: number, workers: number) => Promise<GatewayTask>): GatewayTasks {
  const begun: Promise<GatewayTask>[] = [];
  const prepared: { readonly workers: number; readonly task: Promise<GatewayTask> }[] = [];
  const begin = (workers: number): Promise<GatewayTask> => {
    const number = begun.length + 1;
    const task = Promise.allSettled(begun).then(() => start(number, workers));
    begun.push(task);
    // Whoever takes it hears why; nobody may.
    task.catch(() => undefined);
    return task;
  };
  return {
    prepare(workers) {
      prepared.push({ workers, task: begin(workers) });
    },
    take(workers) {
      const index = prepared.findIndex((each) => each.workers === workers);
      return prepared.splice(index, index === -1 ? 0 : 1)[0]?.task ?? begin(workers);
    },
    async close() {
      for (const each of await Promise.allSettled(begun))
        if (each.status === 'fulfilled') await each.value.close();
    },
  };
}

/** What ECS gives a task: who it is, and the agent that protects it. */
async function startMetadata(taskArn: string): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json');
    response.end(
      request.url === '/v4/task'
        ? JSON.stringify({
            TaskARN: taskArn,
            Revision: '1',
            AvailabilityZone: 'eu-central-1a',
          })
        : JSON.stringify({ protection: {} }),
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

/** With the environment of the task definition; only its ports are any free ones. */
async function startMain(
  stacks: EmulatedStacks,
  account: EmulatedAccount,
  metadataUrl: string,
): Promise<Pick<GatewayTask, 'port' | 'process' | 'log'>> {
  const definition = stacks.one('AWS::ECS::TaskDefinition');
  const containers = stacks.resolver.resolve(
    definition.stack,
    (definition.properties['ContainerDefinitions'] as readonly { readonly Environment: TemplateValue }[])[0]
      ?.Environment ?? [],
  ) as readonly { readonly Name: string; readonly Value: string }[];
  const environment = Object.fromEntries(containers.map(({ Name, Value }) => [Name, Value]));
  let log = '';
  const child = spawn(process.execPath, [join(root, 'proxy-task', 'main.ts')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...functionEnvironment(account),
      ...environment,
      SSHTRAIL_SSH_PORT: '0',
      SSHTRAIL_HEALTH_PORT: '0',
      ECS_CONTAINER_METADATA_URI_V4: `${metadataUrl}/v4`,
      ECS_AGENT_URI: metadataUrl,
    },
  });
  child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  try {
    const port = await until(
      'the gateway task listens',
      30_000,
      () => {
        const found = /listens on [\d.]+:(\d+)/.exec(log)?.[1];
        if (child.exitCode !== null) throw new Error(`the gateway task ended:\n${log}`);
        return found === undefined ? undefined : Number(found);
      },
      () => log,
    );
    return { port, process: child, log: () => log };
  } catch (error) {
    await stopProcess(child);
    throw error;
  }
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
