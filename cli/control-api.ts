import { z } from 'zod';
import { callControlApi, nodeCredentials } from '#adapters/aws';
import { CliError } from './cli-error.ts';
import type { ApiOption, CommandContext } from './command-context.ts';
import { printable } from './output.ts';

/** The control API of a deployment, called as whoever the AWS credentials at hand are. */
export type ControlApi = {
  /** Refuses with a sentence, also where the answer is not what was asked for. */
  call<Answer>(call: ApiCall<Answer>): Promise<Answer>;
};

type ApiCall<Answer> = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** One of `apiRoutes`, with the values of its `{names}`. */
  readonly route: string;
  /** The same where a second factor counts, if there is one: IAM refuses it to credentials without, and then `route` is asked. */
  readonly routeWithMfa?: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly answer: z.ZodType<Answer>;
  /** In the place of the API's own words, by its error codes. */
  readonly sentences?: Readonly<Record<string, string>>;
  /** Where IAM refuses. */
  readonly forbidden?: string;
};

/** Of every error that the API itself tells. */
const complaint = z.object({ error: z.object({ code: z.string().max(64), message: z.string().max(4_000) }) });

export function controlApi(
  address: string,
  options: ApiOption,
  { environment, now, signal }: CommandContext,
): ControlApi {
  const { url, region } = endpointOf(address, options, environment);
  return {
    async call(call) {
      const { method, body, route, routeWithMfa } = call;
      const credentials = await nodeCredentials(region);
      const ask = (asked: string) =>
        callControlApi({
          method,
          url: `${url}${pathOf({ ...call, route: asked })}`,
          region,
          credentials,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          fetch,
          nowMs: now(),
          signal,
        });
      // A long-term key has no factor to speak of.
      const first =
        routeWithMfa === undefined || credentials.sessionToken === undefined
          ? undefined
          : await ask(routeWithMfa);
      const counts = first !== undefined && !isRefusedByIam(first);
      const { status, json } = counts ? first : await ask(route);
      if (status < 200 || status > 299) throw refusalOf(status, json, call, counts);
      const read = call.answer.safeParse(json);
      if (read.success) return read.data;
      throw new CliError(
        'unusable-data',
        'the control API answered with something else than was asked for; see whether --api is its address, and whether this sshtrail is as new as the deployment',
        { cause: read.error },
      );
    },
  };
}

function endpointOf(
  api: string,
  options: ApiOption,
  environment: CommandContext['environment'],
): { readonly url: string; readonly region: string } {
  const url = URL.canParse(api) ? new URL(api) : undefined;
  const isLoopback = url !== undefined && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)))
    throw new CliError(
      'bad-input',
      '--api is the https address of the control API, such as https://abcde12345.execute-api.eu-central-1.amazonaws.com/live',
    );
  const inName = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/.exec(url.hostname)?.[1];
  const region = options.region ?? inName ?? environment['AWS_REGION'];
  if (region === undefined)
    throw new CliError('bad-input', 'the address of the API names no region; say which with --region');
  return { url: `${url.origin}${url.pathname.replace(/\/+$/, '')}`, region };
}

/** A value is one part of the path whatever is in it: `.` and `..` would make another route of this one. */
function pathOf({ route, values = {}, query }: Pick<ApiCall<unknown>, 'route' | 'values' | 'query'>): string {
  const path = route.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? '';
    if (/^\.{0,2}$/.test(value) || !value.isWellFormed())
      throw new CliError('bad-input', `${JSON.stringify(value)} is no name or id; see what the list says`);
    return encodeURIComponent(value);
  });
  return query === undefined ? path : `${path}?${new URLSearchParams(query).toString()}`;
}

/** Of such a call nothing was done. A deployment that is older than the route answers alike. */
function isRefusedByIam({ status, json }: { readonly status: number; readonly json: unknown }): boolean {
  return status === 403 && !complaint.safeParse(json).success;
}

/** IAM's own refusals come from the gateway in front, and say nothing that helps. `isProved`: a second factor counted. */
function refusalOf(status: number, json: unknown, call: ApiCall<unknown>, isProved: boolean): CliError {
  const read = complaint.safeParse(json);
  if (read.success) {
    const { code, message } = read.data.error;
    const sentences = new Map(Object.entries(call.sentences ?? {}));
    const sentence = sentences.get(code) ?? `the control API refused (${status}): ${printable(message)}`;
    const hint =
      status !== 403 || call.routeWithMfa === undefined || isProved
        ? ''
        : `; no second factor counted: IAM does not let these AWS credentials onto ${callable(call, call.routeWithMfa)}`;
    return new CliError(code === 'code-refused' ? code : codeOf(status), `${sentence}${hint}`);
  }
  if (status === 403)
    return new CliError(
      'bad-input',
      `IAM refused (403): ${call.forbidden ?? `log in to AWS again if that is long ago, else ask who runs sshtrail for execute-api:Invoke on ${callable(call, call.route)} of this API`}`,
    );
  return new CliError(
    codeOf(status),
    `the control API answered ${status}; try again, and see whether --api is its address`,
  );
}

/** As IAM policies name it. */
function callable({ method }: ApiCall<unknown>, route: string): string {
  return `${method}${route.replace(/\{\w+\}/g, '*')}`;
}

function codeOf(status: number): CliError['code'] {
  if (status === 404) return 'not-found';
  return status >= 500 ? 'unreachable' : 'bad-input';
}
