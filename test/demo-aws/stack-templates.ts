import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** A value of a template: text, or an intrinsic function that gives one. */
export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | readonly TemplateValue[]
  | { readonly [name: string]: TemplateValue };

export type TemplateResource = {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Readonly<Record<string, TemplateValue>>;
};

export type StackTemplates = {
  readonly resources: readonly TemplateResource[];
  /** Exported name to the value, still unresolved, and the stack it is from. */
  readonly exports: ReadonlyMap<string, { readonly stack: string; readonly value: TemplateValue }>;
};

const manifest = z.object({
  artifacts: z.record(
    z.string(),
    z.looseObject({
      type: z.string(),
      properties: z.looseObject({ templateFile: z.string().optional() }).optional(),
    }),
  ),
});

const value: z.ZodType<TemplateValue> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(value), z.record(z.string(), value)]),
);

const template = z.looseObject({
  Resources: z.record(
    z.string(),
    z.looseObject({ Type: z.string(), Properties: z.record(z.string(), value).default({}) }),
  ),
  Outputs: z
    .record(z.string(), z.looseObject({ Value: value, Export: z.looseObject({ Name: value }).optional() }))
    .default({}),
});

/** Reads what `cdk synth` wrote. */
export function readStackTemplates(cloudAssembly: string): StackTemplates {
  const { artifacts } = manifest.parse(readJson(join(cloudAssembly, 'manifest.json')));
  const resources: TemplateResource[] = [];
  const exports = new Map<string, { stack: string; value: TemplateValue }>();
  for (const [stack, artifact] of Object.entries(artifacts)) {
    const file = artifact.properties?.templateFile;
    if (artifact.type !== 'aws:cloudformation:stack' || file === undefined) continue;
    const read = template.parse(readJson(join(cloudAssembly, file)));
    for (const [logicalId, resource] of Object.entries(read.Resources))
      resources.push({ stack, logicalId, type: resource.Type, properties: resource.Properties });
    for (const output of Object.values(read.Outputs))
      if (typeof output.Export?.Name === 'string')
        exports.set(output.Export.Name, { stack, value: output.Value });
  }
  return { resources, exports };
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** What a created resource is known by. */
export type CreatedResource = {
  /** What Ref gives. */
  readonly ref: string;
  /** What Fn::GetAtt gives, by name. */
  readonly attributes: Readonly<Record<string, string>>;
};

export type Resolver = {
  resolve(stack: string, from: TemplateValue): TemplateValue;
  /** Resolved, and text; a fault where it is anything else. */
  text(stack: string, from: TemplateValue | undefined): string;
};

/** Evaluates the intrinsic functions that the stacks use; one that is not known is a fault, never a guess. */
export function createResolver(
  templates: StackTemplates,
  created: ReadonlyMap<string, CreatedResource>,
  pseudo: Readonly<Record<string, string>>,
): Resolver {
  function resolve(stack: string, from: TemplateValue): TemplateValue {
    if (Array.isArray(from)) return from.map((each: TemplateValue) => resolve(stack, each));
    if (typeof from !== 'object' || from === null) return from;
    const entries = Object.entries(from);
    const [name, argument] = entries[0] ?? [];
    if (entries.length === 1 && name !== undefined && argument !== undefined) {
      if (name === 'Ref') return reference(stack, text(stack, argument));
      if (name.startsWith('Fn::')) return call(stack, name.slice(4), argument);
    }
    return Object.fromEntries(entries.map(([key, each]) => [key, resolve(stack, each)]));
  }

  function reference(stack: string, logicalId: string): string {
    const found = pseudo[logicalId] ?? created.get(`${stack}/${logicalId}`)?.ref;
    if (found === undefined) throw new Error(`${stack} refers to ${logicalId}, which was not created`);
    return found;
  }

  function attribute(stack: string, logicalId: string, name: string): string {
    const found = created.get(`${stack}/${logicalId}`)?.attributes[name];
    if (found === undefined) throw new Error(`${stack} asks for ${logicalId}.${name}, which is not known`);
    return found;
  }

  function call(stack: string, name: string, argument: TemplateValue): TemplateValue {
    const list = Array.isArray(argument) ? (argument as readonly TemplateValue[]) : [argument];
    switch (name) {
      case 'GetAtt':
        return attribute(stack, text(stack, list[0]), text(stack, list[1]));
      case 'Join':
        return strings(stack, list[1]).join(text(stack, list[0]));
      case 'Split':
        return text(stack, list[1]).split(text(stack, list[0]));
      case 'Select':
        return strings(stack, list[1])[Number(resolve(stack, list[0] ?? 0))] ?? '';
      case 'Sub':
        return text(stack, list[0]).replace(
          /\$\{([\w:]+)(?:\.(\w+))?\}/g,
          (_all, id: string, part?: string) =>
            part === undefined ? reference(stack, id) : attribute(stack, id, part),
        );
      case 'ImportValue': {
        const exported = templates.exports.get(text(stack, list[0]));
        if (exported === undefined)
          throw new Error(`${stack} imports ${text(stack, list[0])}, which no stack exports`);
        return resolve(exported.stack, exported.value);
      }
      default:
        throw new Error(`${stack} uses Fn::${name}, which is not evaluated here`);
    }
  }

  function strings(stack: string, from: TemplateValue | undefined): readonly string[] {
    const resolved = resolve(stack, from ?? []);
    if (!Array.isArray(resolved)) throw new Error(`${stack} has something else where a list is wanted`);
    return resolved.map(String);
  }

  function text(stack: string, from: TemplateValue | undefined): string {
    const resolved = resolve(stack, from ?? '');
    if (typeof resolved === 'object') throw new Error(`${stack} has no text where text is wanted`);
    return String(resolved);
  }

  return { resolve, text };
}
