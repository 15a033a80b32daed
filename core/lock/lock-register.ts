import type { Lock, LockSelector } from '#core/contract';
import { addressMatcher } from '../configuration/index.ts';
import { namingFields } from './lock-selector.ts';
import { fits, isInForce, type LockFacts, locksAgainst } from './locks-against.ts';

/**
 * The locks there are and those who are there, each found by the values that they name: neither whom a new lock fits nor what fits
 * a newcomer is looked for among all.
 */
export type LockRegister<Person> = {
  /** Those whom the lock fits, where it is new here and in force; nobody where it was known. */
  put(lock: Lock, nowMs: number): readonly Person[];
  remove(lockId: string): void;
  readonly lockIds: Iterable<string>;
  /** One entry for each session id; a second one takes the place of the first. */
  enter(facts: LockFacts, person: Person): void;
  leave(sessionId: string): void;
  readonly people: Iterable<Person>;
  /** As `locksAgainst` all of them. */
  against(facts: LockFacts, nowMs: number): readonly Lock[];
};

type Entry<Person> = { readonly facts: LockFacts; readonly person: Person };

export function createLockRegister<Person>(): LockRegister<Person> {
  const locks = new Map<string, Lock>();
  const locksByValue = createValueTable<Lock>();
  const entries = new Map<string, Entry<Person>>();
  const entriesByValue = createValueTable<Entry<Person>>();
  const entriesBySource = createValueTable<Entry<Person>>();

  /** A selector is looked up by the first value that it names, of those that few share; one of a source or all by its own word. */
  function removeLock(lockId: string): void {
    const lock = locks.get(lockId);
    if (lock === undefined) return;
    locks.delete(lockId);
    locksByValue.remove(findingKey(lock.selector), lock);
  }

  function leave(sessionId: string): void {
    const entry = entries.get(sessionId);
    if (entry === undefined) return;
    entries.delete(sessionId);
    for (const key of keysOf(entry.facts)) entriesByValue.remove(key, entry);
    entriesBySource.remove(entry.facts.sourceIp, entry);
  }

  function* candidates(selector: LockSelector): Iterable<Entry<Person>> {
    const key = findingKey(selector);
    if (selector.sessionId !== undefined) {
      const entry = entries.get(selector.sessionId);
      if (entry !== undefined) yield entry;
    } else if (key !== undefined) {
      yield* entriesByValue.with(key);
    } else if (selector.source !== undefined) {
      const isWithin = addressMatcher([selector.source]);
      for (const address of entriesBySource.keys())
        if (isWithin(address)) yield* entriesBySource.with(address);
    } else {
      yield* entries.values();
    }
  }

  return {
    put(lock, nowMs) {
      const isKnown = locks.has(lock.lockId);
      removeLock(lock.lockId);
      locks.set(lock.lockId, lock);
      locksByValue.add(findingKey(lock.selector), lock);
      if (isKnown || !isInForce(lock, nowMs)) return [];
      return [...candidates(lock.selector)]
        .filter(({ facts }) => fits(lock.selector, facts))
        .map(({ person }) => person);
    },
    remove: removeLock,
    get lockIds() {
      return locks.keys();
    },
    enter(facts, person) {
      leave(facts.sessionId);
      const entry = { facts, person };
      entries.set(facts.sessionId, entry);
      for (const key of keysOf(facts)) entriesByValue.add(key, entry);
      entriesBySource.add(facts.sourceIp, entry);
    },
    leave,
    get people() {
      return [...entries.values()].map(({ person }) => person);
    },
    against(facts, nowMs) {
      const keys = [undefined, ...namingFields.map((name) => keyOf(name, facts[name]))];
      const found = new Set(keys.flatMap((key) => [...locksByValue.with(key)]));
      return locksAgainst(found, facts, nowMs);
    },
  };
}

/** Without the session's id, by which the entries are kept anyway. */
function keysOf(facts: LockFacts): readonly string[] {
  return namingFields.flatMap((name) => (name === 'sessionId' ? [] : (keyOf(name, facts[name]) ?? [])));
}

/** Undefined where only a source, or all, is said. */
function findingKey(selector: LockSelector): string | undefined {
  const name = namingFields.find((field) => selector[field] !== undefined);
  return name === undefined ? undefined : keyOf(name, selector[name]);
}

function keyOf(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : `${name}:${value}`;
}

type ValueTable<Thing> = {
  add(key: string | undefined, thing: Thing): void;
  remove(key: string | undefined, thing: Thing): void;
  with(key: string | undefined): ReadonlySet<Thing>;
  keys(): Iterable<string>;
};

function createValueTable<Thing>(): ValueTable<Thing> {
  const things = new Map<string | undefined, Set<Thing>>();
  const nothing: ReadonlySet<Thing> = new Set();
  return {
    add(key, thing) {
      const there = things.get(key);
      if (there === undefined) things.set(key, new Set([thing]));
      else there.add(thing);
    },
    remove(key, thing) {
      const there = things.get(key);
      if (there?.delete(thing) === true && there.size === 0) things.delete(key);
    },
    with: (key) => things.get(key) ?? nothing,
    keys: () => [...things.keys()].filter((key) => key !== undefined),
  };
}
