import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import type { TrinoSQL as Grammar } from 'dt-sql-parser/dist/parser/trino/index.js';

// The package's modules name each other as bundlers let them: without an extension, and folders for their index.
registerHooks({
  resolve(specifier, context, nextResolve) {
    if (!specifier.startsWith('.') || !context.parentURL?.includes('/node_modules/dt-sql-parser/'))
      return nextResolve(specifier, context);
    for (const ending of ['', '.js', '/index.js']) {
      const url = new URL(`${specifier}${ending}`, context.parentURL);
      if (url.pathname.endsWith('.js') && existsSync(url)) return nextResolve(url.href, context);
    }
    return nextResolve(specifier, context);
  },
});

/** The grammar of Athena's SQL. */
export const { TrinoSQL }: { readonly TrinoSQL: typeof Grammar } = await import(
  'dt-sql-parser/dist/parser/trino/index.js'
);
