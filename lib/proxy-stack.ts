import { Annotations, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import {
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  type ISubnet,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  Subnet,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import {
  Capability,
  Cluster,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  type ICluster,
  LinuxParameters,
  LogDrivers,
  OperatingSystemFamily,
  UlimitName,
} from 'aws-cdk-lib/aws-ecs';
import {
  NetworkLoadBalancer,
  NetworkTargetGroup,
  Protocol,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { DeploymentVariable } from '#core/contract';
import { output } from './constructs/output.ts';
import { addPermissions, repositoryRoot } from './constructs/product-function.ts';
import type { ControlStack } from './control-stack.ts';
import type { Deployment } from './deployment.ts';
import { parameterPath } from './environment.ts';
import { permissionsOf, workloadRoleName } from './permissions/index.ts';

export type ProxyStackProps = StackProps & { readonly control: ControlStack };

const sshPort = 2222;
const healthPort = 8080;
/** The longest a TCP listener allows; the gateway's own keepalives come more often. */
const idleSeconds = 6000;

type Network = {
  readonly vpc: IVpc;
  readonly publicSubnets: readonly ISubnet[];
  readonly taskSubnets: readonly ISubnet[];
  /** Where the load balancer's own addresses are. */
  readonly balancerRanges: readonly string[];
  readonly assignPublicIp: boolean;
  /** Of the interface endpoints, where there are some. */
  readonly endpointGroup?: SecurityGroup;
};

/** The gateway: load balancer, cluster, service. Holds nothing that is not elsewhere too. */
export class ProxyStack extends Stack {
  readonly cluster: Cluster;
  readonly service: FargateService;
  readonly targetGroup: NetworkTargetGroup;
  readonly loadBalancer: NetworkLoadBalancer;

  constructor(scope: Construct, id: string, deployment: Deployment, props: ProxyStackProps) {
    super(scope, id, props);
    const network =
      deployment.network.kind === 'new' ? this.#newVpc(deployment) : this.#existingVpc(deployment);
    this.cluster = new Cluster(this, 'Cluster', {
      clusterName: deployment.name,
      vpc: network.vpc,
      containerInsightsV2: ContainerInsights.DISABLED,
    });
    const balancerGroup = new SecurityGroup(this, 'BalancerGroup', {
      vpc: network.vpc,
      description: 'Who may reach the gateway',
      allowAllOutbound: false,
    });
    const taskGroup = new SecurityGroup(this, 'TaskGroup', {
      vpc: network.vpc,
      description: 'Gateway tasks; targets let this group in',
      allowAllOutbound: true,
    });
    for (const cidr of deployment.allowedClientCidrs)
      balancerGroup.addIngressRule(
        cidr.includes(':') ? Peer.ipv6(cidr) : Peer.ipv4(cidr),
        Port.tcp(deployment.gateway.sshPort),
        'engineers',
      );
    for (const port of [sshPort, healthPort]) {
      balancerGroup.addEgressRule(taskGroup, Port.tcp(port), 'gateway tasks');
      taskGroup.addIngressRule(balancerGroup, Port.tcp(port), 'the load balancer');
    }
    network.endpointGroup?.addIngressRule(taskGroup, Port.tcp(443), 'gateway tasks');
    this.service = this.#service(deployment, props.control, network, taskGroup);
    this.targetGroup = new NetworkTargetGroup(this, 'Tasks', {
      vpc: network.vpc,
      port: sshPort,
      protocol: Protocol.TCP,
      targetType: TargetType.IP,
      // Events carry the engineer's address: as that of the connection, or told by the balancer. Never both.
      preserveClientIp: !deployment.gateway.proxyProtocol,
      proxyProtocolV2: deployment.gateway.proxyProtocol,
      deregistrationDelay: Duration.seconds(120),
      connectionTermination: true,
      healthCheck: {
        protocol: Protocol.HTTP,
        path: '/healthz',
        port: String(healthPort),
        interval: Duration.seconds(10),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 3,
      },
    });
    // A gateway that stops says that it is not well and gives its sessions time; the balancer's default would cut them at once.
    this.targetGroup.setAttribute('target_health_state.unhealthy.connection_termination.enabled', 'false');
    this.service.attachToNetworkTargetGroup(this.targetGroup);
    this.loadBalancer = new NetworkLoadBalancer(this, 'Balancer', {
      vpc: network.vpc,
      internetFacing: true,
      crossZoneEnabled: true,
      vpcSubnets: { subnets: [...network.publicSubnets] },
      securityGroups: [balancerGroup],
    });
    this.loadBalancer.addListener('Ssh', {
      port: deployment.gateway.sshPort,
      protocol: Protocol.TCP,
      tcpIdleTimeout: Duration.seconds(idleSeconds),
      defaultTargetGroups: [this.targetGroup],
    });
    output(this, 'GatewayHost', this.loadBalancer.loadBalancerDnsName, 'what engineers connect to');
    output(this, 'TaskSecurityGroup', taskGroup.securityGroupId, 'targets let this group reach port 22');
  }

  #newVpc({ network, name, logRetentionDays }: Deployment): Network {
    if (network.kind !== 'new') throw new Error('the network is an existing one');
    const nat = network.egress === 'nat';
    const isolated = network.egress === 'endpoints';
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(network.cidr),
      maxAzs: 2,
      natGateways: nat ? 1 : 0,
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 24 },
        ...(nat ? [{ name: 'tasks', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 24 }] : []),
        ...(isolated ? [{ name: 'tasks', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 }] : []),
      ],
      gatewayEndpoints: {
        S3: { service: GatewayVpcEndpointAwsService.S3 },
        DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
      },
    });
    vpc.addFlowLog('Flows', {
      destination: FlowLogDestination.toCloudWatchLogs(
        new LogGroup(this, 'FlowLog', {
          logGroupName: `/sshtrail/${name}/flows`,
          retention: logRetentionDays,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      ),
    });
    const endpointGroup = isolated ? this.#endpoints(vpc) : undefined;
    return {
      // The library's class is not its own interface where optional properties are exact; so is Cluster below.
      vpc: vpc as IVpc,
      publicSubnets: vpc.publicSubnets,
      balancerRanges: vpc.publicSubnets.map((subnet) => subnet.ipv4CidrBlock),
      taskSubnets: nat ? vpc.privateSubnets : isolated ? vpc.isolatedSubnets : vpc.publicSubnets,
      assignPublicIp: !nat && !isolated,
      ...(endpointGroup === undefined ? {} : { endpointGroup }),
    };
  }

  /** What a task calls that has no gateway endpoint. */
  #endpoints(vpc: Vpc): SecurityGroup {
    const group = new SecurityGroup(this, 'EndpointGroup', {
      vpc: vpc as IVpc,
      description: 'Interface endpoints of AWS; gateway tasks reach them',
      allowAllOutbound: false,
    });
    const services = ['KMS', 'SSM', 'EVENTBRIDGE', 'CLOUDWATCH_LOGS', 'ECR', 'ECR_DOCKER', 'EC2'] as const;
    for (const service of services)
      vpc.addInterfaceEndpoint(service, {
        service: InterfaceVpcEndpointAwsService[service],
        securityGroups: [group],
        // Its default lets the whole network in.
        open: false,
      });
    return group;
  }

  #existingVpc({ network }: Deployment): Network {
    if (network.kind !== 'existing') throw new Error('the network is a new one');
    // By its attributes: a look-up would need credentials at synthesis.
    const vpc = Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId: network.vpcId,
      vpcCidrBlock: network.cidr,
      availabilityZones: network.availabilityZones,
    });
    const subnets = (kind: string, ids: readonly string[]) =>
      ids.map((subnetId, index) => {
        const subnet = Subnet.fromSubnetId(this, `${kind}${index}`, subnetId);
        Annotations.of(subnet).acknowledgeWarning(
          '@aws-cdk/aws-ec2:noSubnetRouteTableId',
          'routes of an existing network are not changed',
        );
        return subnet;
      });
    return {
      vpc,
      publicSubnets: subnets('Public', network.publicSubnetIds),
      taskSubnets: subnets('Task', network.taskSubnetIds),
      // The security groups let nobody but the balancer reach the tasks.
      balancerRanges: [network.cidr],
      assignPublicIp: network.assignPublicIp,
    };
  }

  #service(
    deployment: Deployment,
    control: ControlStack,
    network: Network,
    taskGroup: SecurityGroup,
  ): FargateService {
    const { gateway, name } = deployment;
    const logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/sshtrail/${name}/gateway`,
      retention: deployment.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const taskRole = new Role(this, 'TaskRole', {
      roleName: workloadRoleName('gateway', name, this.region),
      assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com'),
    });
    addPermissions(taskRole, permissionsOf('gateway', control.resources(this.cluster.clusterArn)));
    const task = new FargateTaskDefinition(this, 'Task', {
      family: `${name}-gateway`,
      cpu: gateway.cpu,
      memoryLimitMiB: gateway.memoryMiB,
      runtimePlatform: {
        cpuArchitecture: CpuArchitecture.ARM64,
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
      taskRole,
    });
    const linux = new LinuxParameters(this, 'Linux', { initProcessEnabled: true });
    linux.dropCapabilities(Capability.ALL);
    const environment: Readonly<Record<DeploymentVariable<'gateway'>, string>> = {
      ...control.commonEnvironment(),
      SSHTRAIL_PARAMETER_PATH: parameterPath(deployment),
      SSHTRAIL_TARGET_AUTHORITY_KEY: control.targetAuthority.keyArn,
      SSHTRAIL_ENGINEER_AUTHORITY_KEY: control.engineerAuthority.keyArn,
      SSHTRAIL_SSH_PORT: String(sshPort),
      SSHTRAIL_HEALTH_PORT: String(healthPort),
      SSHTRAIL_PROXY_PROTOCOL_RANGES: gateway.proxyProtocol ? network.balancerRanges.join(',') : '',
      SSHTRAIL_MAX_DRAIN_MINUTES: String(gateway.maxDrainMinutes),
      SSHTRAIL_NOTICE_TOPIC: control.topic.topicArn,
      SSHTRAIL_METRICS_NAMESPACE: 'sshtrail',
    };
    const container = task.addContainer('gateway', {
      containerName: 'gateway',
      image: this.#image(deployment),
      user: '10001:10001',
      readonlyRootFilesystem: true,
      linuxParameters: linux,
      // The longest there is: sessions get their notice, and their ends get on record.
      stopTimeout: Duration.seconds(120),
      portMappings: [{ containerPort: sshPort }, { containerPort: healthPort }],
      environment: { ...environment },
      logging: LogDrivers.awsLogs({ logGroup, streamPrefix: 'gateway' }),
    });
    container.addUlimits({ name: UlimitName.NOFILE, softLimit: 65_536, hardLimit: 65_536 });
    return new FargateService(this, 'Service', {
      serviceName: 'gateway',
      cluster: this.cluster as ICluster,
      taskDefinition: task,
      desiredCount: gateway.tasks,
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      assignPublicIp: network.assignPublicIp,
      vpcSubnets: { subnets: [...network.taskSubnets] },
      securityGroups: [taskGroup],
      healthCheckGracePeriod: Duration.seconds(60),
    });
  }
  #image({ gateway }: Deployment): ContainerImage {
    const { image, sessionManagerPlugin: plugin } = gateway;
    if (image !== 'build') return this.#registryImage(image.fromRegistry);
    return ContainerImage.fromAsset(repositoryRoot, {
      file: 'proxy-task/Dockerfile',
      platform: Platform.LINUX_ARM64,
      ...(plugin === undefined
        ? {}
        : {
            buildArgs: {
              SESSION_MANAGER_PLUGIN_URL: plugin.url,
              SESSION_MANAGER_PLUGIN_SHA256: plugin.sha256,
            },
          }),
    });
  }

  /** A private repository of ECR needs the right to pull from it; of another account, its policy must allow this one, too. */
  #registryImage(name: string): ContainerImage {
    const [, account, region, repositoryName = '', tagOrDigest] = ecrImage.exec(name) ?? [];
    if (repositoryName === '') return ContainerImage.fromRegistry(name);
    const repositoryArn = `arn:${this.partition}:ecr:${region}:${account}:repository/${repositoryName}`;
    return ContainerImage.fromEcrRepository(
      Repository.fromRepositoryAttributes(this, 'Repository', { repositoryArn, repositoryName }),
      tagOrDigest,
    );
  }
}

/** Account, region, repository, and tag or digest. */
const ecrImage =
  /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([a-z0-9._/-]+?)(?:[:@]((?:sha256:)?[\w.-]+))?$/;
