import type { z } from 'zod';
import type { Configuration } from './configuration.ts';
import { configurationSchema } from './configuration-schema.ts';
import { crossChecks } from './cross-checks.ts';
import { configurationJsonSchema } from './json-schema.ts';
import type { Problem } from './problem.ts';
import { schemaComplaints } from './schema-complaints.ts';
import {
  maxProblems,
  plainKey,
  toCredentialFile,
  toIdentity,
  toProblems,
  toSettings,
  toTarget,
} from './written-parts.ts';
import { readYaml } from './yaml-source.ts';

/** Reads one `sshtrail.yaml`. Tells everything that is wrong with it at once, in the order of the lines. */
export function parseConfiguration(
  text: string,
  fileName: string,
):
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly problems: readonly Problem[] } {
  const source = readYaml(text, fileName);
  if (source.problems.length > 0) return { ok: false, problems: source.problems.slice(0, maxProblems) };
  const parsed = configurationSchema.safeParse(source.data);
  const complaints = [
    ...(parsed.success ? [] : schemaComplaints(parsed.error.issues, source.data, configurationJsonSchema())),
    ...crossChecks(source.data, 'local'),
  ];
  if (parsed.success && complaints.length === 0)
    return { ok: true, configuration: toConfiguration(parsed.data) };
  return { ok: false, problems: toProblems(source, fileName, complaints) };
}

type Written = z.output<typeof configurationSchema>;

function toConfiguration(written: Written): Configuration {
  const { directory, ...settings } = written.runbooks;
  return {
    gateway: written.gateway,
    identities: written.identities.map(toIdentity),
    trustedUserAuthorities: written.trustedUserAuthorities.map(plainKey),
    targets: written.targets.map(({ credential, ...target }) =>
      toTarget(target, toCredentialFile(credential)),
    ),
    policies: written.policies,
    userAuthority: written.userAuthority,
    ...(written.engineerAuthority === undefined ? {} : { engineerAuthority: written.engineerAuthority }),
    ...(written.hostAuthority === undefined ? {} : { hostAuthority: written.hostAuthority }),
    hostKeys: written.hostKeys,
    recording: written.recording,
    redaction: written.redaction,
    evidence: written.evidence,
    access: written.access,
    runbooks: { ...(directory === undefined ? {} : { directory }), settings: toSettings(settings) },
    notify: written.notify.webhook === undefined ? {} : { webhook: written.notify.webhook },
  };
}
