import { z } from 'zod';
import { callControlApi, nodeCredentials } from '#adapters/aws';
import { apiRoutes } from '#core/contract';
import { CliError } from './cli-error.ts';
import { clientConfiguration } from './client-files.ts';
import type { CommandContext } from './command-context.ts';
import type { LoginOptions } from './commands/login.ts';
import type { CertificateIssuer } from './login.ts';
import { addressOf, requireAlias } from './ssh-config.ts';

const answer = z.object({
  certificate: z.string().max(32_768),
  principal: z.string().max(256),
  mfa: z.boolean(),
});
/** Of every error that the API itself tells. */
const complaint = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

const sshPort = 22;

/** Asks the control API of a deployment, as whoever the AWS credentials at hand are. */
export function apiIssuer(api: string, options: LoginOptions, context: CommandContext): CertificateIssuer {
  const { url, region } = endpointOf(api, options, context);
  const route = options.mfa ? apiRoutes.certificateWithMfa : apiRoutes.certificate;
  return {
    async issue(publicKey, validForSeconds) {
      const { status, json } = await callControlApi({
        url: `${url}${route}`,
        region,
        credentials: await nodeCredentials(region),
        body: JSON.stringify({ publicKey, ...(validForSeconds === undefined ? {} : { validForSeconds }) }),
        fetch,
        nowMs: context.now(),
        signal: context.signal,
      });
      const read = answer.safeParse(json);
      if (status === 200 && read.success) {
        const { certificate, principal, mfa } = read.data;
        return { line: certificate, principal, mfa };
      }
      throw new CliError('bad-input', refusalText(status, json, options.mfa));
    },
    clientFiles(files) {
      const alias = requireAlias(options.name);
      if (options.host === undefined) return undefined;
      const { host, port } = addressOf(options.host, { host: '', port: sshPort });
      return {
        configuration: clientConfiguration({
          alias,
          host,
          port,
          hostKeys: [],
          targets: [],
          knownHostsFile: options.knownHosts ?? '~/.ssh/known_hosts_sshtrail',
          identityFile: files.identityFile,
        }),
      };
    },
  };
}

function endpointOf(
  api: string,
  options: LoginOptions,
  { environment }: CommandContext,
): { readonly url: string; readonly region: string } {
  const url = URL.canParse(api) ? new URL(api) : undefined;
  const isLoopback = url !== undefined && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)))
    throw new CliError(
      'bad-input',
      '--api is the https address of the control API, such as https://abcde12345.execute-api.eu-central-1.amazonaws.com/prod',
    );
  const inName = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/.exec(url.hostname)?.[1];
  const region = options.region ?? inName ?? environment['AWS_REGION'];
  if (region === undefined)
    throw new CliError('bad-input', 'the address of the API names no region; say which with --region');
  return { url: `${url.origin}${url.pathname.replace(/\/+$/, '')}`, region };
}

/** IAM's own refusals come from the gateway in front, and say nothing that helps. */
function refusalText(status: number, json: unknown, withMfa: boolean): string {
  const read = complaint.safeParse(json);
  if (read.success) return `the control API refused (${status}): ${read.data.error.message}`;
  if (status === 403 && withMfa)
    return 'IAM refused (403): log in to AWS with MFA, ask who runs sshtrail for execute-api:Invoke, or do without a second factor by --no-mfa';
  if (status === 403) return 'IAM refused (403): ask who runs sshtrail for execute-api:Invoke on this API';
  return `the control API answered ${status}; try again, and see whether --api is its address`;
}
