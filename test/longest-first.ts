import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest, longest first: begun last, one of them would run alone while the other worker has nothing left. */
const longest = [
  'test/demo-aws/demo-aws.test.ts',
  'test/interop/matrix/matrix.test.ts',
  'test/interop/openssh-transfer.test.ts',
  'test/crash/kill-gateway.test.ts',
  'test/interop/command-policy.test.ts',
  'test/fuzz/fuzz.test.ts',
  'test/cli/policy.test.ts',
  'test/cli/hosts.test.ts',
  'test/cli/locks.test.ts',
  'test/interop/access-approval.test.ts',
  'test/interop/target-login.test.ts',
  'test/interop/locks.test.ts',
  'test/interop/second-factor.test.ts',
  'test/cli/evidence.test.ts',
  'test/lib/bundles.test.ts',
  'test/cli/stop.test.ts',
  'test/lib/nag.test.ts',
  'test/lib/synth.test.ts',
  'test/lib/cfn-lint.test.ts',
];

/** The others in vitest's own order: by what they took the last time, else by their size. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = longest.indexOf(relative(this.ctx.config.root, moduleId));
      return place === -1 ? longest.length : place;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}
