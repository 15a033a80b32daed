import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

/** One invocation of a function in a process of its own, as Lambda has it: handler file in argv, event on standard input, result on fd 3. */
const { writeSync } = await import('node:fs');
const [file = ''] = process.argv.slice(2);
const { event, context } = JSON.parse(await text(process.stdin)) as {
  event: unknown;
  context: { timeoutSeconds: number };
};
const endsAtMs = Date.now() + context.timeoutSeconds * 1000;
const lambdaContext = { ...context, getRemainingTimeInMillis: () => endsAtMs - Date.now() };
const { handler } = (await import(pathToFileURL(file).href)) as {
  handler: (event: unknown, context: unknown) => Promise<unknown>;
};
let answer: unknown;
try {
  answer = { result: (await handler(event, lambdaContext)) ?? null };
} catch (error) {
  answer = { error: error instanceof Error ? error.message : String(error) };
}
writeSync(3, JSON.stringify(answer));
process.exit();
