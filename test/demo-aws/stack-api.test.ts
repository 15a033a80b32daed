import { expect, it } from 'vitest';
import type { EmulatedStacks } from './emulated-stacks.ts';
import type { Functions } from './functions.ts';
import { people } from './people.ts';
import { signedFetch } from './signed-fetch.ts';
import { openStackApi } from './stack-api.ts';
import { createResolver, type TemplateResource, type TemplateValue } from './stack-templates.ts';

const integration: TemplateValue = {
  Type: 'AWS_PROXY',
  Uri: 'arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:control/invocations',
};

/** Stacks of one API with one method, `POST /v1/things/{thingId}`. */
function stacksWith(method: Readonly<Record<string, TemplateValue>>): EmulatedStacks {
  const resource = (
    logicalId: string,
    type: string,
    properties: TemplateResource['properties'],
  ): TemplateResource => ({ stack: 'control', logicalId, type: `AWS::ApiGateway::${type}`, properties });
  const part = (id: string, parent: string, text: string) =>
    resource(id, 'Resource', { ParentId: parent, PathPart: text });
  const resources = [
    resource('Api', 'RestApi', { Policy: { Statement: [] } }),
    part('V1', 'root', 'v1'),
    part('Things', 'V1', 'things'),
    part('Thing', 'Things', '{thingId}'),
    resource('Post', 'Method', {
      HttpMethod: 'POST',
      AuthorizationType: 'AWS_IAM',
      ResourceId: 'Thing',
      Integration: integration,
      ...method,
    }),
  ];
  const ofType = (type: string) => resources.filter((each) => each.type === type);
  return {
    resolver: createResolver({ resources, exports: new Map() }, new Map(), {}),
    ofType,
    one: (type) => ofType(type)[0] ?? resource('None', type, {}),
    created: ({ logicalId }) => ({ ref: logicalId, attributes: { RootResourceId: 'root' } }),
    count: resources.length,
  };
}

const functions: Functions = {
  invoke: () => Promise.reject(new Error('by its ARN')),
  invokeByName: async (name, event) => ({ statusCode: 200, body: JSON.stringify([name, event]) }),
  logs: [],
  close: async () => undefined,
};

it('serves the paths and functions that the templates name', async () => {
  const api = await openStackApi(stacksWith({}), functions);
  const call = (path: string) =>
    signedFetch(`${api.url}${path}`, {
      method: 'POST',
      body: '{}',
      region: 'eu-central-1',
      credentials: people.carol,
    });

  const found = await call('/v1/things/t-1');
  const other = await call('/v1/things');
  await api.close();

  expect(JSON.parse(found.body)).toMatchObject([
    'arn:aws:lambda:eu-central-1:123456789012:function:control',
    { resource: '/v1/things/{thingId}', pathParameters: { thingId: 't-1' } },
  ]);
  expect([found.status, other.status]).toEqual([200, 403]);
});

it.each<readonly [string, Readonly<Record<string, TemplateValue>>]>([
  ['anybody may call', { AuthorizationType: 'NONE' }],
  ['no function answers', { Integration: { Type: 'MOCK', Uri: '' } }],
  ['no path leads to', { ResourceId: 'Elsewhere' }],
])('refuses a method that %s', async (_, method) => {
  await expect(openStackApi(stacksWith(method), functions)).rejects.toThrow(/POST|no part of a path/);
});
