import { Annotations, App, Tags } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { AuditStack } from './audit-stack.ts';
import { ControlStack } from './control-stack.ts';
import type { Deployment } from './deployment.ts';
import { LakeStack } from './lake-stack.ts';
import { ObservabilityStack } from './observability-stack.ts';
import { ProxyStack } from './proxy-stack.ts';
import { ResponseStack } from './response-stack.ts';

/** Every stack of a deployment, in the order they depend on each other. Needs no account, no credentials and no container engine. */
export function createApp(deployment: Deployment, app: App = new App()): App {
  const { name } = deployment;
  const audit = new AuditStack(app, `${name}-audit`, deployment);
  const control = new ControlStack(app, `${name}-control`, deployment, { audit });
  const proxy = new ProxyStack(app, `${name}-proxy`, deployment, { control });
  const response = new ResponseStack(app, `${name}-response`, deployment, {
    audit,
    control,
    cluster: proxy.cluster,
    allowedGroups: proxy.loadBalancer.securityGroups ?? [],
  });
  if (deployment.cloudTrailLake !== 'off') new LakeStack(app, `${name}-lake`, deployment, { control });
  new ObservabilityStack(app, `${name}-observability`, deployment, { audit, control, proxy, response });
  allowServices(audit);
  if (deployment.allowedClientCidrs.length === 0)
    Annotations.of(proxy).addInfo(
      'allowedClientCidrs is empty, so nobody reaches the gateway; set it in sshtrail.config.ts',
    );
  Tags.of(app).add('sshtrail:deployment', name);
  return app;
}

/** Alarms and rules write to the encrypted topic and queue in the name of their services. */
function allowServices({ dataKey }: AuditStack): void {
  dataKey.addToResourcePolicy(
    new PolicyStatement({
      sid: 'Services',
      principals: ['cloudwatch', 'events'].map((service) => new ServicePrincipal(`${service}.amazonaws.com`)),
      actions: ['kms:GenerateDataKey*', 'kms:Decrypt'],
      resources: ['*'],
    }),
  );
}
