import { DescribeInstancesCommand, type EC2Client, type Instance } from '@aws-sdk/client-ec2';
import type { Inventory, Target, TargetInstance } from '#core/contract';
import { InventoryError } from '#core/inventory';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';

/** How instances become targets. */
export type Ec2InventoryOptions = {
  /** Tag whose value, in lower case, is the target's name. */
  readonly nameTag: string;
  /** Tags that an instance must carry, all of them. */
  readonly selectTags: Readonly<Record<string, string>>;
  /** Tags that become labels. Whoever may set them decides which policies apply. */
  readonly labelTags: readonly string[];
  /** Tag with the accounts that may be asked for, separated by blanks. */
  readonly loginsTag?: string | undefined;
  readonly address: 'private' | 'public';
  /** Who certifies the host keys. Keys are never taken from tags, which many may write. */
  readonly hostAuthority?:
    | { readonly keys: readonly string[]; readonly principals?: readonly string[] | undefined }
    | undefined;
  readonly dial: TargetInstance['dial'];
  readonly auth: TargetInstance['auth'];
};

const limits: AttemptLimits = { deadlineMs: 20_000, attemptMs: 8_000 };
const sshPort = 22;
const namePattern = /^[a-z0-9][a-z0-9._-]{0,127}$/;
const loginPattern = /^[A-Za-z_][A-Za-z0-9_.-]{0,62}\$?$/;
const labelPattern = /^[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}$/;
/** Older answers than this are no answers. */
const maxAgeMs = 600_000;

/**
 * Running instances with the tags. What cannot be a target (a name that is none, or that two have; no address; no host authority) is left
 * out and told once, never guessed. A target is found by its instance id, too.
 */
export function createEc2Inventory(given: {
  readonly client: EC2Client;
  readonly options: Ec2InventoryOptions;
  readonly now: () => number;
  readonly refreshMs?: number;
  readonly onFault: (error: Error) => void;
}): Inventory {
  const { client, options, now, onFault, refreshMs = 60_000 } = given;
  const told = new Set<string>();
  let known: { readonly targets: ReadonlyMap<string, Target>; readonly atMs: number } | undefined;
  let underWay: Promise<void> | undefined;

  async function refresh(): Promise<void> {
    const instances = await describe(client, options);
    known = { targets: targetsOf(instances, options, tell), atMs: now() };
  }

  function tell(message: string): void {
    if (told.has(message)) return;
    if (told.size > 1000) told.clear();
    told.add(message);
    onFault(new InventoryError('unusable-instance', message));
  }

  async function current(): Promise<ReadonlyMap<string, Target>> {
    if (known === undefined || now() - known.atMs >= refreshMs) {
      underWay ??= refresh().finally(() => {
        underWay = undefined;
      });
      try {
        await underWay;
      } catch (cause) {
        const reason = awsFaultWords('EC2', 'ec2:DescribeInstances', cause);
        const error = new InventoryError('unreadable', `the instances could not be read: ${reason}`, {
          cause,
        });
        if (known === undefined || now() - known.atMs > maxAgeMs) throw error;
        onFault(error);
      }
    }
    return known?.targets ?? new Map();
  }

  return {
    async find(name) {
      const targets = await current();
      return targets.get(name) ?? [...targets.values()].find(({ instance }) => instance?.id === name);
    },
    list: async () => [...(await current()).values()],
  };
}

/** Asks one after the other; of two targets of a name the first counts. */
export function combineInventories(...inventories: readonly Inventory[]): Inventory {
  return {
    async find(name) {
      for (const inventory of inventories) {
        const target = await inventory.find(name);
        if (target !== undefined) return target;
      }
      return undefined;
    },
    async list() {
      const byName = new Map<string, Target>();
      for (const inventory of inventories)
        for (const target of await inventory.list())
          if (!byName.has(target.name)) byName.set(target.name, target);
      return [...byName.values()];
    },
  };
}

async function describe(
  client: EC2Client,
  { selectTags }: Ec2InventoryOptions,
): Promise<readonly Instance[]> {
  const filters = [
    { Name: 'instance-state-name', Values: ['running'] },
    ...Object.entries(selectTags).map(([name, value]) => ({ Name: `tag:${name}`, Values: [value] })),
  ];
  const instances: Instance[] = [];
  let token: string | undefined;
  do {
    const page = await attempt(limits, (abortSignal) =>
      client.send(new DescribeInstancesCommand({ Filters: filters, MaxResults: 500, NextToken: token }), {
        abortSignal,
      }),
    );
    for (const { Instances = [] } of page.Reservations ?? []) instances.push(...Instances);
    token = page.NextToken;
  } while (token !== undefined && token !== '');
  return instances;
}

function targetsOf(
  instances: readonly Instance[],
  options: Ec2InventoryOptions,
  tell: (message: string) => void,
): ReadonlyMap<string, Target> {
  const byName = new Map<string, Target>();
  const doubled = new Set<string>();
  for (const instance of instances) {
    const read = targetOf(instance, options);
    if (!read.ok) {
      tell(`${instance.InstanceId ?? 'an instance'} is no target: ${read.message}`);
      continue;
    }
    const { name } = read.target;
    if (byName.has(name)) doubled.add(name);
    byName.set(name, read.target);
  }
  for (const name of doubled) {
    byName.delete(name);
    tell(`more than one instance is named ${name}, so none is a target by that name; rename them`);
  }
  return byName;
}

function targetOf(
  instance: Instance,
  options: Ec2InventoryOptions,
): { readonly ok: true; readonly target: Target } | { readonly ok: false; readonly message: string } {
  const tags = new Map((instance.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
  const id = instance.InstanceId ?? '';
  const name = (tags.get(options.nameTag) ?? '').toLowerCase();
  const host = options.address === 'public' ? instance.PublicIpAddress : instance.PrivateIpAddress;
  if (!namePattern.test(name))
    return no(
      `its tag ${options.nameTag} gives no name; use a-z, 0-9 and . _ -, beginning with a letter or digit`,
    );
  if (host === undefined) return no(`it has no ${options.address} address`);
  if (options.hostAuthority === undefined)
    return no('nothing says which host keys to trust; set ec2Inventory.hostAuthority');
  const logins = options.loginsTag === undefined ? undefined : tags.get(options.loginsTag)?.split(/\s+/);
  if (logins?.some((login) => !loginPattern.test(login)) === true)
    return no(`its tag ${options.loginsTag} has something else than accounts`);
  const labels = Object.fromEntries(
    options.labelTags.flatMap((tag) => {
      const value = tags.get(tag);
      return value === undefined || !labelPattern.test(tag) || /\p{Cc}/u.test(value)
        ? []
        : [[tag, value.slice(0, 256)] as const];
    }),
  );
  const zone = instance.Placement?.AvailabilityZone;
  return {
    ok: true,
    target: {
      name,
      host,
      port: sshPort,
      labels: { ...labels, 'ec2/instance-id': id, ...(zone === undefined ? {} : { 'ec2/zone': zone }) },
      hostTrust: {
        kind: 'authority',
        keys: options.hostAuthority.keys,
        principals: options.hostAuthority.principals ?? [name, id, host],
      },
      instance: { id, dial: options.dial, auth: options.auth },
      ...(logins === undefined ? {} : { logins }),
    },
  };
}

function no(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}
