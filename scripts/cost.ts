import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { z } from 'zod';
import { createApp, defineDeployment } from '../lib/index.ts';

/**
 * What a deployment costs a month: `npm run cost` prints it, `-- --json` for programs, `-- --write` into docs/cost.md.
 * What is paid by the hour is counted in the synthesised templates; the rest is the model of use below.
 */
const root = new URL('..', import.meta.url).pathname;

/** us-east-1, USD, list prices as of November 2026. */
const prices = {
  fargateVcpuHour: 0.03238,
  fargateGbHour: 0.00356,
  balancerHour: 0.0225,
  balancerUnitHour: 0.006,
  publicAddressHour: 0.005,
  natGatewayHour: 0.045,
  interfaceEndpointHour: 0.01,
  kmsKeyMonth: 1,
  kmsSignPer10k: 0.15,
  alarmMonth: 0.1,
  customMetricMonth: 0.3,
  logGb: 0.5,
  s3PutPer1k: 0.005,
  s3GetPer1k: 0.0004,
  s3GbMonth: 0.023,
  dynamoReadPerMillion: 0.125,
  dynamoWritePerMillion: 0.625,
  athenaTb: 5,
  lambdaGbSecond: 0.0000133334,
  lambdaPerMillion: 0.2,
  apiPerMillion: 3.5,
  busPerMillion: 1,
  automationStep: 0.002,
  schedulerPerMillion: 1,
} as const;

/** How people work. */
const use = {
  workDays: 21,
  sessionsPerDay: 8,
  eventsPerSession: 25,
  /** Conditional puts of batches into the journal bucket. */
  journalPutsPerSession: 12,
  segmentsPerSession: 4,
  /** Pieces of recordings in the spool, and the chunks they become. */
  recordingPutsPerSession: 42,
  recordedMbPerSession: 0.5,
  compressedEventKb: 0.4,
  /** Sessions that come within 30 s of each other share a run. */
  runsPerSession: 0.8,
  findingsPerThousandSessions: 2,
  logMbPerEngineer: 20,
} as const;

const hours = 730;
/** Those of the task; functions count only what goes wrong. */
const gatewayMetrics = 7;
/** A query reads the events of the day so far: half a day on average, once per derived table it names. */
const tablesPerQuery = 2.5;
/** Athena bills at least this per query. */
const athenaMinBytes = 10_000_000;
const functionGb = 0.5;

const scales = [
  { engineers: 25, gateway: { cpu: 256, memoryMiB: 1024, tasks: 2 } },
  { engineers: 250, gateway: { cpu: 512, memoryMiB: 1024, tasks: 2 } },
  { engineers: 2500, gateway: { cpu: 2048, memoryMiB: 4096, tasks: 4 } },
] as const;

type Line = { readonly item: string; readonly amount: string; readonly usd: number };
type Estimate = { readonly engineers: number; readonly lines: readonly Line[]; readonly usd: number };

function estimate(scale: (typeof scales)[number]): Estimate {
  const counted = countResources(scale.gateway);
  const lines = [...fixedLines(counted), ...usageLines(scale.engineers, counted)];
  return { engineers: scale.engineers, lines, usd: lines.reduce((sum, { usd }) => sum + usd, 0) };
}

type Counted = {
  readonly tasks: number;
  readonly vcpu: number;
  readonly gb: number;
  readonly zones: number;
  readonly publicTasks: boolean;
  readonly balancers: number;
  readonly natGateways: number;
  readonly interfaceEndpoints: number;
  readonly keys: number;
  readonly alarms: number;
  /** Runs of schedules a month. */
  readonly scheduledRuns: number;
};

const service = z.looseObject({
  DesiredCount: z.number(),
  NetworkConfiguration: z.looseObject({
    AwsvpcConfiguration: z.looseObject({ AssignPublicIp: z.string().default('DISABLED') }),
  }),
});
const taskDefinition = z.looseObject({ Cpu: z.string(), Memory: z.string() });
const balancer = z.looseObject({ Subnets: z.array(z.unknown()) });
const schedule = z.looseObject({ ScheduleExpression: z.string() });

/** What the templates of the defaults hold, with another size of the gateway. */
function countResources(gateway: (typeof scales)[number]['gateway']): Counted {
  const { context } = z
    .looseObject({ context: z.record(z.string(), z.unknown()) })
    .parse(JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')));
  const app = new App({
    context: { ...context, 'aws:cdk:bundling-stacks': [] },
    // `cdk synth` has that; here it is most of the time.
    builtinCloudFormationValidation: false,
  });
  createApp(defineDeployment({ gateway, allowedClientCidrs: ['198.51.100.0/24'] }), app);
  const templates = app.node.children.filter(isStack).map((stack) => Template.fromStack(stack));
  const ofType = (type: string) =>
    templates.flatMap((template) =>
      Object.values(template.findResources(type)).map((resource: unknown) => propertiesOf(resource)),
    );
  const [running] = ofType('AWS::ECS::Service').map((found) => service.parse(found));
  const [task] = ofType('AWS::ECS::TaskDefinition').map((found) => taskDefinition.parse(found));
  const balancers = ofType('AWS::ElasticLoadBalancingV2::LoadBalancer').map((found) => balancer.parse(found));
  return {
    tasks: running?.DesiredCount ?? 0,
    vcpu: Number(task?.Cpu) / 1024,
    gb: Number(task?.Memory) / 1024,
    zones: balancers[0]?.Subnets.length ?? 0,
    publicTasks: running?.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp === 'ENABLED',
    balancers: balancers.length,
    natGateways: ofType('AWS::EC2::NatGateway').length,
    interfaceEndpoints: ofType('AWS::EC2::VPCEndpoint').filter(
      (found) => z.looseObject({ VpcEndpointType: z.literal('Interface') }).safeParse(found).success,
    ).length,
    keys: ofType('AWS::KMS::Key').length,
    alarms: ofType('AWS::CloudWatch::Alarm').length,
    scheduledRuns: ofType('AWS::Scheduler::Schedule')
      .map((found) => runsAMonth(schedule.parse(found).ScheduleExpression))
      .reduce((sum, runs) => sum + runs, 0),
  };
}

function isStack(construct: unknown): construct is Stack {
  return typeof construct === 'object' && construct !== null && 'templateFile' in construct;
}

function propertiesOf(resource: unknown): unknown {
  return z.looseObject({ Properties: z.unknown().optional() }).parse(resource).Properties ?? {};
}

function runsAMonth(expression: string): number {
  const minutes = /^rate\((\d+) minutes?\)$/.exec(expression)?.[1];
  return minutes === undefined ? 30 : (hours * 60) / Number(minutes);
}

function fixedLines(on: Counted): readonly Line[] {
  const addresses = on.balancers * on.zones + (on.publicTasks ? on.tasks : 0);
  return [
    line(
      'Fargate',
      `${on.tasks} x ${on.vcpu} vCPU, ${on.gb} GB, arm64`,
      on.tasks * hours * (on.vcpu * prices.fargateVcpuHour + on.gb * prices.fargateGbHour),
    ),
    line('Load balancer', `${on.balancers}`, on.balancers * hours * prices.balancerHour),
    line('Public IPv4 addresses', `${addresses}`, addresses * hours * prices.publicAddressHour),
    line('NAT gateways', `${on.natGateways}`, on.natGateways * hours * prices.natGatewayHour),
    line(
      'Interface endpoints',
      `${on.interfaceEndpoints} x ${on.zones} zones`,
      on.interfaceEndpoints * on.zones * hours * prices.interfaceEndpointHour,
    ),
    line('KMS keys', `${on.keys}`, on.keys * prices.kmsKeyMonth),
    line('Alarms', `${on.alarms}`, on.alarms * prices.alarmMonth),
    line('Metrics of the gateway', String(gatewayMetrics), gatewayMetrics * prices.customMetricMonth),
  ].filter(({ usd }) => usd > 0);
}

function usageLines(engineers: number, on: Counted): readonly Line[] {
  const sessions = engineers * use.workDays * use.sessionsPerDay;
  const events = sessions * use.eventsPerSession;
  const puts = sessions * (use.journalPutsPerSession + use.segmentsPerSession + use.recordingPutsPerSession);
  // A run takes up what came in the 30 s before it, so there are never more than two a minute.
  const eventRuns = Math.min(sessions * use.runsPerSession, use.workDays * 10 * 60 * 2);
  const queries = on.scheduledRuns + eventRuns;
  const segmentsPerDay = Math.min(
    (sessions / use.workDays) * use.segmentsPerSession,
    on.tasks * ((10 * 3600) / 4),
  );
  const gets = queries * (segmentsPerDay / 2) * tablesPerQuery;
  const dayBytes = (events / use.workDays) * use.compressedEventKb * 1000;
  const scanned = queries * Math.max(athenaMinBytes, (dayBytes / 2) * tablesPerQuery);
  // A task looks for revocations and for locks every 0.8 s each, and at all locks every 5 s.
  const reads = on.tasks * hours * 3600 * 2.8 + sessions * 20;
  const writes = on.tasks * hours * 60 * 8 + sessions * 8;
  const functionSeconds = queries * 10 + (hours * 60 * 3) / 5 + (hours * 60 * 2) / 15 + sessions * 1;
  const findings = (sessions * use.findingsPerThousandSessions) / 1000;
  const logGb = (engineers * use.logMbPerEngineer) / 1000 + 1;
  return [
    line(
      'Load balancer units',
      'new flows and bytes',
      hours * prices.balancerUnitHour * (0.05 + engineers / 2500),
    ),
    line('S3 puts', count(puts), (puts / 1000) * prices.s3PutPer1k),
    line('S3 gets by Athena', count(gets), (gets / 1000) * prices.s3GetPer1k),
    line(
      'S3 storage, first month',
      `${gigabytes(sessions * use.recordedMbPerSession * 1e6 + events * use.compressedEventKb * 1000)} GB`,
      ((sessions * use.recordedMbPerSession) / 1000 + (events * use.compressedEventKb) / 1e6) *
        prices.s3GbMonth,
    ),
    line('Athena', `${count(queries)} queries`, (scanned / 1e12) * prices.athenaTb),
    line(
      'DynamoDB',
      `${count(reads)} reads, ${count(writes)} writes`,
      (reads / 1e6) * prices.dynamoReadPerMillion + (writes / 1e6) * prices.dynamoWritePerMillion,
    ),
    line('KMS signatures', count(sessions * 2), ((sessions * 2) / 10_000) * prices.kmsSignPer10k),
    line(
      'Functions',
      `${count(functionSeconds)} s of ${functionGb} GB`,
      functionSeconds * functionGb * prices.lambdaGbSecond + (queries / 1e6) * prices.lambdaPerMillion,
    ),
    line(
      'API, bus, scheduler, Automation',
      `${count(sessions)} certificates, ${count(sessions * 8)} events, ${count(findings)} findings`,
      (sessions / 1e6) * prices.apiPerMillion +
        ((sessions * 8) / 1e6) * prices.busPerMillion +
        (on.scheduledRuns / 1e6) * prices.schedulerPerMillion +
        findings * prices.automationStep,
    ),
    line('Logs', `${logGb.toFixed(1)} GB`, logGb * prices.logGb),
  ];
}

function line(item: string, amount: string, usd: number): Line {
  return { item, amount, usd: Math.round(usd * 100) / 100 };
}

function count(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} million`;
  return value >= 10_000 ? `${Math.round(value / 1000)} thousand` : String(Math.round(value));
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

function markdown(estimates: readonly Estimate[]): string {
  const items = [...new Set(estimates.flatMap(({ lines }) => lines.map(({ item }) => item)))];
  const header = estimates.map(({ engineers }) => ` ${engineers} engineers |`).join('');
  const rows = items.map((item) => {
    const cells = estimates.map(({ lines }) => {
      const found = lines.find((each) => each.item === item);
      return found === undefined ? ' |' : ` ${found.usd.toFixed(2)} (${found.amount}) |`;
    });
    return `| ${item} |${cells.join('')}`;
  });
  const totals = estimates.map(({ usd }) => ` **${usd.toFixed(2)}** |`).join('');
  return [
    `| USD a month |${header}`,
    `| --- |${' --- |'.repeat(estimates.length)}`,
    ...rows,
    `| **Total** |${totals}`,
  ].join('\n');
}

const estimates = scales.map(estimate);
const table = markdown(estimates);
const page = join(root, 'docs', 'cost.md');
if (process.argv.includes('--json'))
  console.log(JSON.stringify({ estimates, prices, use, table }, undefined, 2));
else console.log(table);
if (process.argv.includes('--write')) {
  const text = readFileSync(page, 'utf8');
  writeFileSync(
    page,
    text.replace(
      /(<!-- table -->\n)[^]*?(<!-- end -->)/,
      (_all, begin: string, end: string) => `${begin}${table}\n${end}`,
    ),
  );
}
