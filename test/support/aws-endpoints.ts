import { afterAll } from 'vitest';
import { type FakeAws, type FakeService, startFakeAws } from '../fakes/aws/fake-aws.ts';

export type AwsEndpoint = { readonly name: string; readonly endpoint: string };

/** What every SDK client of the tests is made with: loopback, one attempt, no real credentials. */
export function clientOptions(endpoint: string) {
  return {
    endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
    maxAttempts: 1,
  } as const;
}

/**
 * The in-repo fake, and moto too where the test command has started one (MOTO_ENDPOINT): the same tests run over both, for
 * what both can do. Close is taken care of.
 */
export async function awsEndpoints(...services: readonly FakeService[]): Promise<readonly AwsEndpoint[]> {
  const fake: FakeAws = await startFakeAws({ services });
  afterAll(() => fake.close());
  const moto = process.env['MOTO_ENDPOINT'];
  return [
    { name: 'the fake', endpoint: fake.endpoint },
    ...(moto === undefined ? [] : [{ name: 'moto', endpoint: moto }]),
  ];
}
