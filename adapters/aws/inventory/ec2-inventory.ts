import {
  DescribeInstancesCommand,
  type DescribeInstancesCommandOutput,
  type EC2Client,
  type Instance,
} from '@aws-sdk/client-ec2';
import type { Inventory, Target, TargetInstance } from '#core/contract';
import { InventoryError } from '#core/inventory';
import { printable } from '#core/wording';
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

const limits: AttemptLimits = { deadlineMs: 10_000, attemptMs: 5_000 };
const sshPort = 22;
const namePattern = /^[a-z0-9][a-z0-9._-]{0,127}$/;
const instanceIdPattern = /^i-[0-9a-f]{8,32}$/;
const loginPattern = /^[A-Za-z_][A-Za-z0-9_.-]{0,62}\$?$/;
const labelPattern = /^[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}$/;
/** Labels that EC2 itself vouches for; a tag cannot have such a name. */
const ownLabels = 'ec2/';
/** An older answer than this is none: labels and accounts may have been taken away since. */
const maxAgeMs = 900_000;
/** EC2 is not asked more often than this while it does not answer. */
const maxPauseMs = 10_000;
const maxInstances = 20_000;
/** Targets that were there and are not, by name and by id: the newest of them, and for a day. */
const maxGone = 2_000;
const rememberGoneMs = 86_400_000;

/**
 * Running instances with the tags. What cannot be a target (a name that is none, or that two have; no address; no host authority) is left
 * out and told once, never guessed. A target is found by its instance id, too, which no tag can take from it.
 *
 * Whoever may write the tags decides which instance has a name and, through labels, which policies apply to it; the host keys are
 * never theirs to say.
 *
 * An answer of EC2 counts for a minute, and where EC2 does not answer for a quarter of an hour; its age is told then, and that it counts again.
 *
 * @throws InventoryError `unreadable` where EC2 does not answer and what it said last is older than that
 */
export function createEc2Inventory(given: {
  /** Best with `maxAttempts: 1`: calls are repeated here. */
  readonly client: EC2Client;
  readonly options: Ec2InventoryOptions;
  readonly now: () => number;
  readonly refreshMs?: number;
  readonly onFault: (error: Error) => void;
}): Inventory {
  const { client, options, now, onFault, refreshMs = 60_000 } = given;
  const told = new Set<string>();
  const gone = new Map<string, { readonly id: string; readonly atMs: number }>();
  let known: (Known & { readonly atMs: number }) | undefined;
  let failed: { readonly error: InventoryError; readonly atMs: number } | undefined;
  let underWay: Promise<void> | undefined;
  let stale = false;

  async function refresh(): Promise<void> {
    try {
      const instances = await describe(client, options);
      const { targets, unusable } = targetsOf(instances, options, tell);
      remember(targets);
      known = { targets, unusable, atMs: now() };
      failed = undefined;
      if (stale) onFault(new InventoryError('unreadable', 'the instances can be read again'));
      stale = false;
    } catch (cause) {
      const reason =
        cause instanceof InventoryError
          ? cause.message
          : awsFaultWords('EC2', 'ec2:DescribeInstances', cause);
      const message = `the instances could not be read: ${reason}`;
      failed = { error: new InventoryError('unreadable', message, { cause }), atMs: now() };
      onFault(failed.error);
      tellStale();
    }
  }

  /** Once for each time that EC2 is away for too long. */
  function tellStale(): void {
    if (stale || known === undefined || now() - known.atMs <= maxAgeMs) return;
    stale = true;
    const minutes = Math.floor((now() - known.atMs) / 60_000);
    onFault(
      new InventoryError(
        'unreadable',
        `EC2 has not answered for ${minutes} minutes, so that its instances are refused as targets until it does; look at the role and the network`,
      ),
    );
  }

  /** What was a target until now, and is one no more. */
  function remember(targets: ReadonlyMap<string, Target>): void {
    if (known === undefined) return;
    const ids = new Set([...targets.values()].map(({ instance }) => instance?.id));
    for (const { name, instance } of known.targets.values()) {
      const id = instance?.id ?? '';
      const names = [...(targets.has(name) ? [] : [name]), ...(ids.has(id) ? [] : [id])];
      for (const lost of names) {
        // Last in the order of the map, which is the order of forgetting.
        gone.delete(lost);
        gone.set(lost, { id, atMs: known.atMs });
      }
    }
    for (const [lost, { atMs }] of gone)
      if (gone.size > maxGone || now() - atMs > rememberGoneMs) gone.delete(lost);
  }

  function tell(message: string): void {
    if (told.has(message)) return;
    if (told.size >= 1000) told.clear();
    told.add(message);
    onFault(new InventoryError('unusable-instance', message));
  }

  async function current(): Promise<ReadonlyMap<string, Target>> {
    const old = known === undefined || now() - known.atMs >= refreshMs;
    const pausing = failed !== undefined && now() - failed.atMs < Math.min(refreshMs, maxPauseMs);
    if (old && !pausing) {
      underWay ??= refresh().finally(() => {
        underWay = undefined;
      });
      await underWay;
    }
    if (failed !== undefined && (known === undefined || now() - known.atMs > maxAgeMs)) throw failed.error;
    return known?.targets ?? new Map();
  }

  return {
    async find(name) {
      const targets = await current();
      if (instanceIdPattern.test(name))
        return [...targets.values()].find(({ instance }) => instance?.id === name);
      return targets.get(name);
    },
    list: async () => [...(await current()).values()],
    missing(name) {
      const why = known?.unusable.get(name);
      if (why !== undefined) return why;
      const lost = gone.get(name);
      return lost === undefined
        ? undefined
        : `it was the instance ${lost.id} at ${new Date(lost.atMs).toISOString().slice(0, 16)}Z, which does not run any more or has lost its tags`;
    },
  };
}

/** What an answer of EC2 comes to. */
type Known = {
  /** By name. */
  readonly targets: ReadonlyMap<string, Target>;
  /** Why an instance is no target, by the name and the id by which somebody would ask for it. */
  readonly unusable: ReadonlyMap<string, string>;
};

/**
 * Asks one after the other; of two targets of a name the first counts, also where the second was asked for by something else than
 * its name: policies know targets by their names, and whoever may tag an instance must not choose one that is taken.
 */
export function combineInventories(...inventories: readonly Inventory[]): Inventory {
  return {
    async find(name) {
      for (const [index, inventory] of inventories.entries()) {
        const target = await inventory.find(name);
        if (target === undefined) continue;
        if (target.name === name) return target;
        for (const earlier of inventories.slice(0, index))
          if ((await earlier.find(target.name)) !== undefined) return undefined;
        return target;
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
    missing(name) {
      for (const inventory of inventories) {
        const why = inventory.missing?.(name);
        if (why !== undefined) return why;
      }
      return undefined;
    },
  };
}

async function describe(
  client: EC2Client,
  { selectTags }: Ec2InventoryOptions,
): Promise<readonly Instance[]> {
  const wanted = Object.entries(selectTags);
  const filters = [
    { Name: 'instance-state-name', Values: ['running'] },
    ...wanted.map(([name, value]) => ({ Name: `tag:${name}`, Values: [literally(value)] })),
  ];
  const instances: Instance[] = [];
  let token: string | undefined;
  do {
    const page: DescribeInstancesCommandOutput = await attempt(limits, (abortSignal) =>
      client.send(new DescribeInstancesCommand({ Filters: filters, MaxResults: 500, NextToken: token }), {
        abortSignal,
      }),
    );
    for (const { Instances = [] } of page.Reservations ?? [])
      instances.push(...Instances.filter((instance) => isWanted(instance, wanted)));
    if (instances.length > maxInstances)
      throw new InventoryError(
        'unreadable',
        `more than ${maxInstances} instances carry the tags; narrow ec2Inventory.selectTags`,
      );
    if (page.NextToken !== undefined && page.NextToken === token)
      throw new InventoryError('unreadable', 'EC2 goes on with the same page; try again later');
    token = page.NextToken;
  } while (token !== undefined && token !== '');
  return instances;
}

/** A filter's `*` and `?` stand for anything. */
function literally(value: string): string {
  return value.replace(/[\\*?]/g, '\\$&');
}

/** Once more and exactly, whatever the filters took. */
function isWanted({ State, Tags = [] }: Instance, wanted: readonly (readonly [string, string])[]): boolean {
  return (
    State?.Name === 'running' &&
    wanted.every(([name, value]) => Tags.some((tag) => tag.Key === name && tag.Value === value))
  );
}

function targetsOf(
  instances: readonly Instance[],
  options: Ec2InventoryOptions,
  tell: (message: string) => void,
): Known {
  const byName = new Map<string, Target>();
  const doubled = new Set<string>();
  const unusable = new Map<string, string>();
  for (const instance of instances) {
    const read = targetOf(instance, options);
    if (!read.ok) {
      const id = instance.InstanceId ?? 'an instance';
      tell(`${id} is no target: ${read.message}`);
      unusable.set(id, read.message);
      if (read.name !== undefined) unusable.set(read.name, `${id} is none: ${read.message}`);
      continue;
    }
    const { name } = read.target;
    if (byName.has(name)) doubled.add(name);
    byName.set(name, read.target);
  }
  for (const name of doubled) {
    byName.delete(name);
    const message = `more than one instance is named ${name}, so none is a target by that name; rename them`;
    tell(message);
    unusable.set(name, message);
  }
  return { targets: byName, unusable };
}

type Reading =
  | { readonly ok: true; readonly target: Target }
  /** `name` where the tag gives one. */
  | { readonly ok: false; readonly message: string; readonly name?: string };

function targetOf(instance: Instance, options: Ec2InventoryOptions): Reading {
  const tags = new Map((instance.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
  const id = instance.InstanceId ?? '';
  const name = (tags.get(options.nameTag) ?? '').toLowerCase();
  const host = options.address === 'public' ? instance.PublicIpAddress : instance.PrivateIpAddress;
  if (!namePattern.test(name))
    return no(
      `its tag ${options.nameTag} gives no name; use a-z, 0-9 and . _ -, beginning with a letter or digit`,
    );
  if (instanceIdPattern.test(name))
    return no(`its tag ${options.nameTag} is an instance's id, which finds that instance alone; rename it`);
  const unusable = (message: string): Reading => ({ ok: false, message, name });
  if (host === undefined || host === '') return unusable(`it has no ${options.address} address`);
  if (options.hostAuthority === undefined)
    return unusable('nothing says which host keys to trust; set ec2Inventory.hostAuthority');
  const logins = loginsOf(tags, options.loginsTag);
  if (logins?.some((login) => !loginPattern.test(login)) === true)
    return unusable(`its tag ${options.loginsTag} has something else than accounts`);
  const labels = labelsOf(tags, options.labelTags);
  if (labels === undefined) return unusable('a tag that is to be a label has invisible characters');
  const zone = instance.Placement?.AvailabilityZone;
  return {
    ok: true,
    target: {
      name,
      host,
      port: sshPort,
      labels: {
        ...labels,
        [`${ownLabels}instance-id`]: id,
        ...(zone === undefined ? {} : { [`${ownLabels}zone`]: zone }),
      },
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

/** Any where the instance does not have the tag; none where the tag is empty. */
function loginsOf(
  tags: ReadonlyMap<string, string>,
  loginsTag: string | undefined,
): readonly string[] | undefined {
  const value = loginsTag === undefined ? undefined : tags.get(loginsTag);
  return value?.split(/\s+/).filter((login) => login !== '');
}

/** Undefined where a value is none: without that label, other policies would apply. */
function labelsOf(
  tags: ReadonlyMap<string, string>,
  labelTags: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const labels: [string, string][] = [];
  for (const tag of labelTags) {
    const value = tags.get(tag);
    if (value === undefined || tag.startsWith(ownLabels) || !labelPattern.test(tag)) continue;
    if (printable(value) !== value) return undefined;
    labels.push([tag, value]);
  }
  return Object.fromEntries(labels);
}

function no(message: string): Reading {
  return { ok: false, message };
}
