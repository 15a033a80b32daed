import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { type FakeApi, type FakeRoute, startFakeApi } from '../fakes/aws/api-gateway.ts';
import type { EmulatedStacks } from './emulated-stacks.ts';
import type { Functions } from './functions.ts';
import { people } from './people.ts';
import type { TemplateResource } from './stack-templates.ts';

/** The control API with the routes, the functions behind them and the resource policy that the templates give it. */
export async function openStackApi(stacks: EmulatedStacks, functions: Functions): Promise<FakeApi> {
  const api = stacks.one('AWS::ApiGateway::RestApi');
  const policy = stacks.resolver.resolve(api.stack, api.properties['Policy'] ?? {}) as {
    Statement: readonly Record<string, unknown>[];
  };
  return startFakeApi({
    routes: stacks.ofType('AWS::ApiGateway::Method').map((method) => routeOf(method, stacks, functions)),
    resourcePolicy: policy.Statement,
    credentials: Object.values(people),
  });
}

/** Refuses a method that anybody may call, or that nothing here could answer. */
function routeOf(method: TemplateResource, stacks: EmulatedStacks, functions: Functions): FakeRoute {
  const text = (value: string) => stacks.resolver.text(method.stack, method.properties[value]);
  const { Type, Uri } = stacks.resolver.resolve(method.stack, method.properties['Integration'] ?? {}) as {
    Type: string;
    Uri: string;
  };
  const path = pathOf(method.stack, text('ResourceId'), stacks);
  const functionArn = /\/functions\/([^/]+)\/invocations$/.exec(Uri)?.[1];
  if (text('AuthorizationType') !== 'AWS_IAM' || Type !== 'AWS_PROXY' || functionArn === undefined)
    throw new Error(`${text('HttpMethod')} ${path} is ${text('AuthorizationType')} before ${Type} ${Uri}`);
  return {
    method: text('HttpMethod'),
    path,
    handler: async (event: APIGatewayProxyEvent) =>
      (await functions.invokeByName(functionArn, event)) as APIGatewayProxyResult,
  };
}

/** Each part of a path is a resource below that of the part before. */
function pathOf(stack: string, resourceId: string, stacks: EmulatedStacks): string {
  const resource = stacks
    .ofType('AWS::ApiGateway::Resource')
    .find((each) => each.stack === stack && stacks.created(each).ref === resourceId);
  if (resource === undefined) {
    const { attributes } = stacks.created(stacks.one('AWS::ApiGateway::RestApi'));
    if (attributes['RootResourceId'] === resourceId) return '';
    throw new Error(`the templates have no part of a path ${resourceId}`);
  }
  const text = (value: string) => stacks.resolver.text(stack, resource.properties[value]);
  return `${pathOf(stack, text('ParentId'), stacks)}/${text('PathPart')}`;
}
