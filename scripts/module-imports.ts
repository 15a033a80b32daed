import { parseSync, Visitor } from 'oxc-parser';

/** One reference to another module. */
export type ModuleImport = {
  /** Undefined for a dynamic import of something computed. */
  readonly specifier: string | undefined;
  /** Names taken, as the other module calls them; empty for side effects, `*` for all. */
  readonly names: readonly string[];
  readonly typeOnly: boolean;
  readonly line: number;
};

/** An expression that reads the clock, the environment or randomness. */
export type ImpureExpression = { readonly text: string; readonly line: number };

export type ModuleFacts = {
  readonly imports: readonly ModuleImport[];
  readonly impure: readonly ImpureExpression[];
  /** The parser's words where the file is no TypeScript. */
  readonly unreadable?: string;
};

/** What a TypeScript module imports and which impure globals it reads, from its syntax tree. */
export function readModule(fileName: string, text: string): ModuleFacts {
  const { errors, module, program } = parseSync(fileName, text);
  const [error] = errors;
  if (error !== undefined) return { imports: [], impure: [], unreadable: error.message };
  const lineOf = lineCounter(text);
  const imports: ModuleImport[] = [];
  for (const { entries, moduleRequest, start } of module.staticImports)
    imports.push({
      specifier: moduleRequest.value,
      names: entries.map(({ importName }) => importName.name ?? '*'),
      typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
      line: lineOf(start),
    });
  for (const { entries } of module.staticExports)
    for (const { importName, isType, moduleRequest, start } of entries)
      if (moduleRequest !== null)
        imports.push({
          specifier: moduleRequest.value,
          names: [importName.name ?? '*'],
          typeOnly: isType,
          line: lineOf(start),
        });
  const impure: ImpureExpression[] = [];
  new Visitor({
    ImportExpression({ source, start }) {
      const specifier =
        source.type === 'Literal' && typeof source.value === 'string' ? source.value : undefined;
      imports.push({ specifier, names: ['*'], typeOnly: false, line: lineOf(start) });
    },
    TSImportType({ source, start }) {
      imports.push({ specifier: source.value, names: ['*'], typeOnly: true, line: lineOf(start) });
    },
    MemberExpression({ object, property, start }) {
      if (object.type !== 'Identifier' || property.type !== 'Identifier') return;
      const text = `${object.name}.${property.name}`;
      if (object.name === 'process' || impureMembers.has(text)) impure.push({ text, line: lineOf(start) });
    },
    NewExpression({ arguments: given, callee, start }) {
      if (callee.type === 'Identifier' && callee.name === 'Date' && given.length === 0)
        impure.push({ text: 'new Date()', line: lineOf(start) });
    },
    CallExpression({ callee, start }) {
      if (callee.type === 'Identifier' && impureCalls.has(callee.name))
        impure.push({ text: `${callee.name}()`, line: lineOf(start) });
    },
  }).visit(program);
  return { imports, impure };
}

const impureMembers = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'performance.timeOrigin',
  'crypto.randomUUID',
  'crypto.getRandomValues',
  'globalThis.process',
]);

const impureCalls = new Set(['fetch', 'setTimeout', 'setInterval', 'setImmediate', 'require']);

/** Lines count from 1. */
function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
