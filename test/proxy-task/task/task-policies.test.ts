import { DeleteParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { expect, onTestFinished, test } from 'vitest';
import { watchTaskPolicies } from '../../../proxy-task/task/task-policies.ts';
import { startFakeAws } from '../../fakes/aws/fake-aws.ts';
import { fakeSsmParameters } from '../../fakes/aws/ssm-parameters.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';

async function opened() {
  const aws = await startFakeAws({ services: [fakeSsmParameters()] });
  onTestFinished(() => aws.close());
  const ssm = new SSMClient(clientOptions(aws.endpoint));
  onTestFinished(() => ssm.destroy());
  const put = (name: string, value: string) =>
    ssm.send(
      new PutParameterCommand({
        Name: `/sshtrail/x/config/${name}`,
        Value: value,
        Type: 'String',
        Overwrite: true,
      }),
    );
  await put('sshtrail.yaml', 'whatever');
  await put('policies/a.cedar', 'one');
  const watch = watchTaskPolicies({ ssm, parameterPath: '/sshtrail/x', report: () => undefined });
  return { ssm, put, watch };
}

const name = (policy: string) => `/sshtrail/x/config/policies/${policy}`;

test('policies in Parameter Store are read when they have changed and stay so', async () => {
  const { put, watch } = await opened();
  expect(await watch.readChanged()).toBeUndefined();
  expect((await watch.readChanged())?.sources).toEqual([{ file: name('a.cedar'), text: 'one' }]);
  expect(await watch.readChanged()).toBeUndefined();

  await put('policies/b.cedar', 'two');
  await put('policies/b.cedar', 'three');
  expect(await watch.readChanged()).toBeUndefined();
  const changed = await watch.readChanged();

  expect(changed?.sources).toEqual([
    { file: name('a.cedar'), text: 'one' },
    { file: name('b.cedar'), text: 'three' },
  ]);
  expect(await changed?.writtenBy()).toBe('arn:aws:iam::123456789012:user/editor-2');
});

test('of a policy that was deleted nobody knows who it was', async () => {
  const { ssm, put, watch } = await opened();
  await put('policies/b.cedar', 'two');
  await watch.readChanged();
  await watch.readChanged();

  await ssm.send(new DeleteParameterCommand({ Name: name('b.cedar') }));
  await watch.readChanged();
  const changed = await watch.readChanged();

  expect(changed?.sources).toEqual([{ file: name('a.cedar'), text: 'one' }]);
  expect(await changed?.writtenBy()).toBe('unknown');
});

test('another setting is no change of policy, and what is no policy among them is a fault', async () => {
  const { put, watch } = await opened();
  await watch.readChanged();
  await watch.readChanged();

  await put('sshtrail.yaml', 'broken: [');
  expect(await watch.readChanged()).toBeUndefined();
  expect(await watch.readChanged()).toBeUndefined();

  await put('policies/readme.txt', 'hello');
  await expect(watch.readChanged()).rejects.toMatchObject({ code: 'unusable-configuration' });
});
