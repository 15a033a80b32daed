import { describe, expect, it } from 'vitest';
import { readTaskIdentity } from '../../../proxy-task/task/task-identity.ts';

const taskId = '0123456789abcdef0123456789abcdef';
const arn = `arn:aws:ecs:eu-central-1:123456789012:task/sshtrail/${taskId}`;

function metadataOf(answer: unknown): typeof fetch {
  return async (input) => {
    expect(input).toBe('http://127.0.0.1:1/v4/task');
    return new Response(typeof answer === 'string' ? answer : JSON.stringify(answer));
  };
}

describe('readTaskIdentity', () => {
  it('reads what the metadata endpoint says', async () => {
    const get = metadataOf({ TaskARN: arn, Revision: '17', AvailabilityZone: 'eu-central-1a', Family: 'x' });

    expect(await readTaskIdentity('http://127.0.0.1:1/v4', get)).toEqual({
      arn,
      id: taskId,
      revision: 17,
      availabilityZone: 'eu-central-1a',
    });
  });

  it.each([
    ['no JSON', 'not json'],
    ['no ARN', { Revision: '1' }],
    ['an ARN of something else', { TaskARN: 'arn:aws:iam::123456789012:role/x', Revision: '1' }],
    ['an id that is none', { TaskARN: arn.replace(taskId, '../../etc'), Revision: '1' }],
    ['a revision that is none', { TaskARN: arn, Revision: 'latest' }],
  ])('refuses %s', async (_name, answer) => {
    await expect(readTaskIdentity('http://127.0.0.1:1/v4', metadataOf(answer))).rejects.toMatchObject({
      code: 'no-metadata',
    });
  });

  it('says how to start the gateway elsewhere', async () => {
    await expect(readTaskIdentity(undefined, fetch)).rejects.toThrow('npm start');
  });
});
