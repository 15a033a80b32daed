import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Configuration, formatProblems } from '#core/configuration';
import {
  durationText,
  type Explanation,
  explain,
  explanationText,
  type KnownNames,
  loadPolicy,
  type PolicySet,
  type PolicyTestResult,
  parsePolicyTable,
  readRequest,
  runPolicyTable,
  unknownNames,
  widePermits,
  writtenRequest,
} from '#core/policy';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData } from './command-context.ts';
import type { ExplainOptions, PolicyOptions, TestPolicyOptions } from './commands/policy.ts';
import type { DataDirectory } from './data-directory.ts';
import { policyFiles, readConfiguration, readPolicy } from './installation.ts';
import { junitReport } from './junit-report.ts';
import { jsonText, printable } from './output.ts';
import { playgroundEnvironments } from './playground/playground.ts';
import { type PolicyFile, readBoundedText, readPolicyFiles } from './policy-files.ts';

export async function checkPolicies(
  files: readonly string[],
  options: PolicyOptions,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const data = chosenData(options, context);
  // A file may be looked at where nothing else is.
  const configuration =
    files.length === 0 || existsSync(data.configuration) ? readConfiguration(data) : undefined;
  const sources = await readPolicyFiles(
    files.length > 0 || configuration === undefined ? files.map(namedFile) : policyFiles(data, configuration),
  );
  const loaded = loadPolicy(sources);
  const warnings = loaded.ok
    ? [
        ...widePermits(loaded.policy),
        ...(configuration === undefined ? [] : namesNobodyHas(loaded.policy, configuration)),
      ]
    : [];
  const problems = loaded.ok ? [] : loaded.problems;
  if (options.json === true)
    output.line(
      jsonText({
        ok: loaded.ok,
        policies: loaded.ok ? loaded.policy.policies.length : 0,
        ...(loaded.ok ? { version: loaded.policy.version } : {}),
        problems,
        warnings,
      }),
    );
  else {
    for (const line of formatProblems([...problems, ...warnings]).split('\n'))
      if (line !== '') output.line(line);
    if (loaded.ok)
      output.line(
        `${counted(loaded.policy.policies.length, 'policy', 'policies')} can be used, version ${loaded.policy.version.slice(0, 12)}; ${counted(warnings.length, 'warning', 'warnings')}`,
      );
  }
  if (!loaded.ok)
    throw new CliError(
      'unusable-data',
      `the policies cannot be used: ${counted(problems.length, 'problem', 'problems')} in ${counted(sources.length, 'file', 'files')}`,
    );
}

export async function explainPolicy(options: ExplainOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const data = chosenData(options, context);
  const configuration = readConfiguration(data);
  const written = writtenRequest.safeParse(wordsOf(options));
  if (!written.success)
    throw new CliError(
      'bad-input',
      written.error.issues
        .map(({ path, message }) => `--${path.map(String).join('.')}: ${message}`)
        .join('\n'),
    );
  const read = readRequest(written.data, namesOf(configuration), context.now());
  if (read.kind === 'unusable') throw new CliError('bad-input', read.message);
  if (read.kind === 'refused') {
    if (options.json === true)
      output.line(jsonText({ allowed: false, reason: read.reason, message: read.message }));
    else output.line(`denied (${read.reason}): ${printable(read.message)}`);
    return;
  }
  const policy = await readPolicy(policyFiles(data, configuration));
  const explanation = explain(policy, read.request);
  if (options.json === true) output.line(jsonText(asJson(explanation)));
  else for (const line of explanationText(explanation).trimEnd().split('\n')) output.line(line);
}

export async function testPolicies(
  file: string,
  options: TestPolicyOptions,
  context: CommandContext,
): Promise<void> {
  const { output, now } = context;
  const data = chosenData(options, context);
  const parsed = parsePolicyTable(await readBoundedText(resolve(file)), file);
  if (!parsed.ok)
    throw new CliError('bad-input', `the table cannot be used:\n${formatProblems(parsed.problems)}`);
  const { table } = parsed;
  const configuration =
    table.policies === undefined || existsSync(data.configuration) ? readConfiguration(data) : undefined;
  const policy = await readPolicy(testedFiles(table.policies, file, data, configuration));
  const known = configuration === undefined ? { identities: [], targets: [] } : namesOf(configuration);
  const results = runPolicyTable(policy, table, known, now());
  const failed = results.filter(({ misses }) => misses.length > 0);
  const summary = `${counted(results.length, 'test', 'tests')}, ${failed.length} failed`;
  if (options.json === true)
    output.line(
      jsonText({
        tests: results.length,
        failures: failed.length,
        results: results.map(({ explanation, ...result }) => ({
          ...result,
          ...(explanation === undefined ? {} : asJson(explanation)),
        })),
      }),
    );
  else if (options.junit === true) output.line(junitReport(file, results));
  else {
    for (const result of results) for (const line of resultLines(file, result)) output.line(line);
    output.line(summary);
  }
  if (failed.length > 0)
    throw new CliError('not-verified', `the policies do not say what was meant: ${summary}`);
}

function testedFiles(
  named: readonly string[] | undefined,
  table: string,
  data: DataDirectory,
  configuration: Configuration | undefined,
): readonly PolicyFile[] {
  if (named !== undefined) return named.map((name) => ({ file: name, path: resolve(dirname(table), name) }));
  return configuration === undefined ? [] : policyFiles(data, configuration);
}

function resultLines(file: string, { name, line, misses }: PolicyTestResult): readonly string[] {
  if (misses.length === 0) return [`ok    ${printable(name)}`];
  return [
    `FAIL  ${printable(name)} (${printable(file)}:${line})`,
    ...misses.map((miss) => `      ${printable(miss)}`),
  ];
}

/** What a script reads. The request is repeated, since it may be an earlier question that was denied. */
function asJson({ decision, request, policies, rules, ...rest }: Explanation) {
  return {
    allowed: decision.allowed,
    ...(decision.allowed ? {} : { reason: decision.reason, message: decision.message }),
    action: request.action.kind,
    policies,
    rules: {
      ...(rules.idleTimeoutMs === undefined ? {} : { idleTimeout: durationText(rules.idleTimeoutMs) }),
      ...(rules.maxDurationMs === undefined ? {} : { maxDuration: durationText(rules.maxDurationMs) }),
      ...(rules.maxSessions === undefined ? {} : { maxSessions: rules.maxSessions }),
      ...(rules.requiresReason === undefined ? {} : { requiresReason: true }),
    },
    ...rest,
  };
}

/** The options in the words of a table; what was not given is left out. */
function wordsOf({ data: _data, json: _json, mfa, mfaAge, approved, ...words }: ExplainOptions): object {
  return {
    ...words,
    ...(mfa === undefined ? {} : { mfa: mfa === true ? 'totp' : mfa }),
    ...(mfaAge === undefined ? {} : { mfaAgeSeconds: mfaAge }),
    ...(approved === undefined ? {} : { approvals: approved === true ? 1 : approved }),
  };
}

/** With the targets that "sshtrail up" adds by itself. */
function namesOf({ identities, targets }: Configuration): KnownNames {
  const playground = Object.entries(playgroundEnvironments).map(([name, env]) => ({
    name,
    host: '127.0.0.1',
    port: 22,
    labels: { env },
  }));
  return { identities, targets: [...targets, ...playground] };
}

function namesNobodyHas(policy: PolicySet, configuration: Configuration) {
  const { identities, targets } = namesOf(configuration);
  return unknownNames(policy, identities, targets);
}

function namedFile(file: string): PolicyFile {
  return { file, path: resolve(file) };
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
