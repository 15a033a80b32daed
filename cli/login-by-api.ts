import { z } from 'zod';
import { apiRoutes } from '#core/contract';
import { clientConfiguration } from './client-files.ts';
import type { CommandContext } from './command-context.ts';
import type { LoginOptions } from './commands/login.ts';
import { controlApi } from './control-api.ts';
import type { CertificateIssuer } from './login.ts';
import { addressOf, requireAlias } from './ssh-config.ts';

const answer = z.object({
  certificate: z.string().max(32_768),
  principal: z.string().max(256),
  mfa: z.boolean(),
});

const sshPort = 22;

/** Asks the control API of a deployment, as whoever the AWS credentials at hand are. */
export function apiIssuer(api: string, options: LoginOptions, context: CommandContext): CertificateIssuer {
  const deployment = controlApi(api, options, context);
  return {
    async issue(publicKey, validForSeconds) {
      const { certificate, principal, mfa } = await deployment.call({
        method: 'POST',
        route: options.mfa ? apiRoutes.certificateWithMfa : apiRoutes.certificate,
        body: { publicKey, ...(validForSeconds === undefined ? {} : { validForSeconds }) },
        answer,
        forbidden: options.mfa
          ? 'log in to AWS with MFA, ask who runs sshtrail for execute-api:Invoke, or do without a second factor by --no-mfa'
          : 'ask who runs sshtrail for execute-api:Invoke on this API',
      });
      return { line: certificate, principal, mfa };
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
