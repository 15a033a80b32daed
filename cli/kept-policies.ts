import type { Journal } from '#core/contract';
import type { PolicySet } from '#core/policy';
import { keepPolicy, type PolicyKeeper } from '../proxy-task/index.ts';
import type { DataDirectory } from './data-directory.ts';
import { type Installation, policyFiles, readPolicy } from './installation.ts';
import { watchPolicyFiles } from './policy-files.ts';
import { version } from './version.ts';

type KeptPoliciesOptions = {
  readonly data: DataDirectory;
  readonly installation: Installation;
  readonly proxyId: string;
  readonly journal: Pick<Journal, 'record'>;
  readonly now: () => number;
  readonly report: (line: string) => void;
};

/** They are found twice before they count. */
const policyLookMs = 500;

/** Keeps the policies in force as their files have them. */
export async function keepPolicyFiles(options: KeptPoliciesOptions): Promise<PolicyKeeper> {
  const { data, installation, proxyId, journal, now, report } = options;
  return keepPolicy({
    initial: await newestPolicy(options),
    sources: watchPolicyFiles(policyFiles(data, installation.configuration)),
    everyMs: policyLookMs,
    proxy: { proxyId, version },
    journal,
    now,
    report,
  });
}

/** Whoever starts again after a fault starts with what stands there now, unless that is of no use. */
async function newestPolicy({ data, installation, report }: KeptPoliciesOptions): Promise<PolicySet> {
  try {
    return await readPolicy(policyFiles(data, installation.configuration));
  } catch (error) {
    report(`the policies that were read before stay: ${error instanceof Error ? error.message : 'unknown'}`);
    return installation.policy;
  }
}
