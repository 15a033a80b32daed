import { existsSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix, resolve } from 'node:path';
import {
  arrows,
  computedImports,
  impureModules,
  innerDoors,
  narrowArrows,
  randomNames,
  roomDoors,
  sshLayers,
} from './import-rules.ts';
import { type ModuleImport, readModule } from './module-imports.ts';
import { filesBelow } from './source-files.ts';

export type ImportRule =
  | 'room-arrow'
  | 'past-a-door'
  | 'layer-order'
  | 'unknown-alias'
  | 'unresolved'
  | 'impure-core'
  | 'computed-import'
  | 'unreadable';

export type Violation = {
  readonly file: string;
  readonly line: number;
  readonly rule: ImportRule;
  /** What to do about it. */
  readonly message: string;
};

/** Every import in the rooms below `root` that breaks a rule of `import-rules.ts`, in order of files and lines. */
export function checkImports(root: string): Violation[] {
  const aliases = readAliases(root);
  return filesBelow(root)
    .filter((file) => /\.[cm]?[jt]sx?$/.test(file) && roomOf(file) !== undefined)
    .flatMap((file) => checkFile(root, aliases, file));
}

function checkFile(root: string, aliases: Aliases, file: string): Violation[] {
  const facts = readModule(file, readFileSync(join(root, file), 'utf8'));
  if (facts.unreadable !== undefined)
    return [
      { file, line: 1, rule: 'unreadable', message: `make it TypeScript that parses: ${facts.unreadable}` },
    ];
  const found = facts.imports.flatMap((one) => {
    const complaint = checkImport(root, aliases, file, one);
    return complaint === undefined ? [] : [{ file, line: one.line, ...complaint }];
  });
  if (roomOf(file) === 'core')
    for (const { line, text } of facts.impure)
      found.push({
        file,
        line,
        rule: 'impure-core',
        message: `core is pure: let the caller pass in what ${text} gives`,
      });
  return found.sort((one, other) => one.line - other.line);
}

type Complaint = Pick<Violation, 'rule' | 'message'>;

function checkImport(root: string, aliases: Aliases, file: string, one: ModuleImport): Complaint | undefined {
  const { specifier } = one;
  if (specifier === undefined) {
    if (computedImports.includes(file)) return undefined;
    return {
      rule: 'computed-import',
      message: 'write the module as a literal, so that it can be seen what is loaded',
    };
  }
  if (specifier.startsWith('#')) {
    const target = resolveAlias(aliases, specifier);
    if (target === undefined || !isFile(root, target))
      return { rule: 'unknown-alias', message: `${specifier} leads nowhere: see "imports" of package.json` };
    return checkArrow(file, target);
  }
  if (!specifier.startsWith('.')) return checkPackage(file, specifier, one);
  const target = posix.normalize(posix.join(posix.dirname(file), specifier));
  if (!isFile(root, target))
    return { rule: 'unresolved', message: `there is no file ${target}; imports name files, with .ts` };
  return checkArrow(file, target) ?? checkDoor(aliases, file, target);
}

/** Packages are free, but for core those that reach the outside. `@cedar-policy/cedar-wasm` reads its own bytes and no more. */
function checkPackage(file: string, specifier: string, one: ModuleImport): Complaint | undefined {
  if (roomOf(file) !== 'core' || one.typeOnly || !isBuiltin(specifier)) return undefined;
  const name = specifier.replace(/^node:/, '').replace(/\/.*$/, '');
  if (impureModules.includes(name))
    return {
      rule: 'impure-core',
      message: `core is pure: do what ${specifier} is for in an adapter, behind a port`,
    };
  const random = one.names.find(
    (imported) => randomNames.includes(imported) || imported === '*' || imported === 'default',
  );
  if (name !== 'crypto' || random === undefined) return undefined;
  return {
    rule: 'impure-core',
    message: `core is pure: let the caller pass in what ${random} of ${specifier} gives`,
  };
}

function checkArrow(file: string, target: string): Complaint | undefined {
  const from = roomOf(file) ?? '';
  const to = roomOf(target);
  if (to === undefined)
    return target.endsWith('.json')
      ? undefined
      : {
          rule: 'room-arrow',
          message: `${target} is in no room: rooms import rooms, packages and JSON alone`,
        };
  if (from === to) return from === 'ssh' ? checkLayer(file, target) : undefined;
  const allowed = arrows[from] ?? [];
  if (!allowed.includes(to))
    return {
      rule: 'room-arrow',
      message: `${from} may not import ${to}, only ${allowed.join(', ') || 'itself'}: pass it in, or move it to where both may see it`,
    };
  const narrow = narrowArrows[`${from} ${to}`];
  if (narrow !== undefined && !narrow.some((folder) => target.startsWith(`${folder}/`)))
    return { rule: 'room-arrow', message: `${from} may import of ${to} only ${narrow.join(', ')}` };
  return undefined;
}

function checkLayer(file: string, target: string): Complaint | undefined {
  const from = folderOf(file);
  const to = folderOf(target);
  if (from === to || from === undefined) return undefined;
  const order = sshLayers.flat();
  if (to === undefined || !order.includes(to) || !order.includes(from))
    return {
      rule: 'layer-order',
      message: `ssh/${to ?? 'index.ts'} has no place below ssh/${from}: see sshLayers`,
    };
  if (order.indexOf(to) < order.indexOf(from)) return undefined;
  const sideBySide = sshLayers.some((layer) => layer.includes(from) && layer.includes(to));
  if (sideBySide && target.endsWith('/contract.ts')) return undefined;
  return {
    rule: 'layer-order',
    message: `ssh/${from} may not import ssh/${to}, which builds on it: pass it in, or move it further down`,
  };
}

/** A relative import into another room, or another folder of core and ssh, must go by its door. */
function checkDoor(aliases: Aliases, file: string, target: string): Complaint | undefined {
  const from = roomOf(file);
  const to = roomOf(target);
  if (to === undefined) return undefined;
  if (from !== to) {
    const hasAlias = aliases.some((alias) => alias.target.startsWith(`${to}/`));
    if (!hasAlias && roomDoors.some((name) => target === `${to}/${name}`)) return undefined;
    return { rule: 'past-a-door', message: `import ${doorsOf(aliases, to)} instead of ${target}` };
  }
  const inner = folderOf(target);
  if ((to !== 'core' && to !== 'ssh') || inner === undefined || inner === folderOf(file)) return undefined;
  if (innerDoors.some((name) => target === `${to}/${inner}/${name}`)) return undefined;
  return {
    rule: 'past-a-door',
    message: `import ${to}/${inner}/index.ts and export there what is needed of ${target}`,
  };
}

type Aliases = readonly { readonly pattern: string; readonly target: string }[];

function readAliases(root: string): Aliases {
  const manifest: { imports?: Record<string, unknown> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  return Object.entries(manifest.imports ?? {}).flatMap(([pattern, target]) =>
    typeof target === 'string' ? [{ pattern, target: posix.normalize(target) }] : [],
  );
}

function resolveAlias(aliases: Aliases, specifier: string): string | undefined {
  for (const { pattern, target } of aliases) {
    const [before = '', after] = pattern.split('*');
    if (after === undefined) {
      if (specifier === pattern) return target;
    } else if (
      specifier.startsWith(before) &&
      specifier.endsWith(after) &&
      specifier.length > before.length + after.length
    ) {
      return target.replace('*', () => specifier.slice(before.length, specifier.length - after.length));
    }
  }
  return undefined;
}

function doorsOf(aliases: Aliases, room: string): string {
  const doors = aliases.filter(({ target }) => target.startsWith(`${room}/`)).map(({ pattern }) => pattern);
  return (doors.length > 0 ? doors : roomDoors.map((name) => `${room}/${name}`)).join(' or ');
}

function roomOf(file: string): string | undefined {
  const [room = '', inner] = file.split('/');
  return inner !== undefined && Object.hasOwn(arrows, room) ? room : undefined;
}

/** The folder within its room; undefined for a file at the top of one. */
function folderOf(file: string): string | undefined {
  const parts = file.split('/');
  return parts.length > 2 ? parts[1] : undefined;
}

function isFile(root: string, target: string): boolean {
  const path = join(root, target);
  return !target.startsWith('..') && existsSync(path) && statSync(path).isFile();
}

if (import.meta.main) {
  const violations = checkImports(resolve(import.meta.dirname, '..'));
  for (const { file, line, message, rule } of violations) console.log(`${file}:${line}: ${rule}: ${message}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
