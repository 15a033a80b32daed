import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

/** A function's environment, as Lambda has it: one invocation after the other. Handler file in argv, a line of standard input each, its answer a line on fd 3. */
type Invocation = { readonly event: unknown; readonly context: { readonly timeoutSeconds: number } };

const [file = ''] = process.argv.slice(2);
const { handler } = (await import(pathToFileURL(file).href)) as {
  handler: (event: unknown, context: unknown) => Promise<unknown>;
};
// It is killed in the end, and leaves then what it has compiled to nobody.
flushCompileCache();
for await (const line of createInterface({ input: process.stdin })) {
  const { event, context } = JSON.parse(line) as Invocation;
  const endsAtMs = Date.now() + context.timeoutSeconds * 1000;
  const lambdaContext = { ...context, getRemainingTimeInMillis: () => endsAtMs - Date.now() };
  let answer: unknown;
  try {
    answer = { result: (await handler(event, lambdaContext)) ?? null };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  writeSync(3, `${JSON.stringify(answer)}\n`);
}
