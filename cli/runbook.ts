import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { Command } from 'commander';
import {
  createConsoleNotifier,
  createFolderBlobStore,
  openJournal,
  openTemporaryLake,
} from '#adapters/local';
import type { Configuration } from '#core/configuration';
import { type Journal, streamName } from '#core/contract';
import { createActionExecutor, type Runbook, type RunReport, runRunbook, testRunbook } from '#core/runbook';
import { CliError } from './cli-error.ts';
import {
  type CommandContext,
  chosenData,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from './command-context.ts';
import type { DataDirectory } from './data-directory.ts';
import { digestSettings } from './evidence-key.ts';
import { readConfiguration } from './installation.ts';
import { withLake } from './lake-query.ts';
import { jsonText, printable, table } from './output.ts';
import { positiveInteger } from './query.ts';
import {
  configuredRunbooks,
  problemLine,
  productRunbooks,
  readRunbooks,
  requireRunbooks,
  settingOf,
} from './runbook-files.ts';
import { withControl } from './sessions.ts';

type FolderOption = { readonly directory?: string };

export function runbookCommand(context: CommandContext): Command {
  const command = new Command('runbook').description(
    'what the runbooks are, whether they hold, and a run by hand',
  );
  const commands = [listCommand(context), lintCommand(context), testCommand(context), runCommand(context)];
  for (const each of commands)
    command.addCommand(
      each.option(
        '--directory <dir>',
        "the folder of runbooks (default: the configuration's, else the product's)",
      ),
    );
  return withExamples(command, [
    'sshtrail runbook list',
    'sshtrail runbook test',
    'sshtrail runbook run SSH-002 --since 24',
  ]);
}

function listCommand(context: CommandContext): Command {
  const command = new Command('list')
    .description('the runbooks and their triggers')
    .action((options: FolderOption & JsonOption) => {
      const rows = requireRunbooks(options.directory ?? productRunbooks).map(
        ({ id, title, severity, status }) => ({
          id,
          severity,
          status,
          title,
        }),
      );
      if (options.json === true) context.output.line(jsonText(rows));
      else
        for (const line of table(['id', 'severity', 'status', 'title'], rows, context.output.colour))
          context.output.line(line);
    });
  return withExamples(withJsonOption(command), ['sshtrail runbook list', 'sshtrail runbook list --json']);
}

function lintCommand(context: CommandContext): Command {
  const command = new Command('lint')
    .description('check the files: shape, portable SQL, actions')
    .action((options: FolderOption & JsonOption) => {
      const { runbooks, problems } = readRunbooks(options.directory ?? productRunbooks);
      if (options.json === true) context.output.line(jsonText(problems));
      else for (const problem of problems) context.output.line(printable(problemLine(problem)));
      if (problems.length > 0)
        throw new CliError('bad-input', `${problems.length} problems; correct what is listed above`);
      context.output.note(`${runbooks.length} runbooks, no problems`);
    });
  return withExamples(withJsonOption(command), [
    'sshtrail runbook lint',
    'sshtrail runbook lint --directory ./runbooks',
  ]);
}

function testCommand(context: CommandContext): Command {
  const command = new Command('test')
    .description('run the tests in the runbooks, with the query that production runs')
    .action(async (options: FolderOption & JsonOption) => {
      const results = [];
      for (const runbook of requireRunbooks(options.directory ?? productRunbooks)) {
        for (const { name, failures } of await testRunbook(runbook, openTemporaryLake))
          results.push({ runbook: runbook.id, name, failures });
      }
      if (options.json === true) context.output.line(jsonText(results));
      else
        for (const { runbook, name, failures } of results)
          context.output.line(
            printable(
              `${failures.length === 0 ? 'ok  ' : 'FAIL'} ${runbook} ${name}${failures.map((failure) => `; ${failure}`).join('')}`,
            ),
          );
      const failed = results.filter(({ failures }) => failures.length > 0).length;
      if (failed > 0)
        throw new CliError(
          'not-verified',
          `${failed} of ${results.length} runbook tests failed; why stands beside each`,
        );
    });
  return withExamples(withJsonOption(command), [
    'sshtrail runbook test',
    'sshtrail runbook test --directory ./runbooks --json',
  ]);
}

function runCommand(context: CommandContext): Command {
  const command = new Command('run')
    .description('run one runbook now; says what it would do, and does it only with --live')
    .argument('<id>', 'such as SSH-002')
    .option('--since <hours>', 'look back this far', positiveInteger, 1)
    .option('--live', 'take the actions, too')
    .action((id: string, options: RunOptions) => run(id, options, context));
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail runbook run SSH-002 --since 24',
    'sshtrail runbook run SSH-002 --live',
  ]);
}

type RunOptions = FolderOption &
  DataOption &
  JsonOption & { readonly since: number; readonly live?: boolean };

async function run(id: string, options: RunOptions, context: CommandContext): Promise<void> {
  const data = chosenData(options, context);
  const configuration = readConfiguration(data);
  const directory = options.directory ?? configuredRunbooks(data, configuration);
  const runbook = requireRunbooks(directory).find((candidate) => candidate.id === id);
  if (runbook === undefined)
    throw new CliError(
      'not-found',
      `no runbook ${JSON.stringify(id)} in ${directory}; "sshtrail runbook list" shows them`,
    );
  const report = await runByHand({ runbook, options, data, configuration, context });
  if (options.json === true) {
    context.output.line(jsonText(report));
    return;
  }
  context.output.line(
    `${report.findings.length} findings in the last ${options.since} h${report.dryRun ? ' (dry run: nothing was done; add --live to act)' : ''}`,
  );
  for (const { finding, decisions } of report.findings) {
    context.output.line(printable(`${finding.key}: ${finding.title}`));
    for (const { action, kind, reason } of decisions)
      context.output.line(printable(`  ${action}: ${kind} (${reason})`));
  }
}

type RunByHand = {
  readonly runbook: Runbook;
  readonly options: RunOptions;
  readonly data: DataDirectory;
  readonly configuration: Configuration;
  readonly context: CommandContext;
};

async function runByHand({ runbook, options, data, configuration, context }: RunByHand): Promise<RunReport> {
  const { now, output } = context;
  const dryRun = options.live !== true;
  const journal = dryRun ? nothingToRecord : await openOwnJournal(data, configuration, context);
  const toMs = now();
  try {
    return await withControl(data, now, (control) =>
      withLake(data, (engine) =>
        runRunbook({
          runbook,
          engine,
          lakeEngine: 'duckdb',
          control,
          journal,
          notifier: createConsoleNotifier((line) => output.note(line)),
          actions: createActionExecutor({ blobs: createFolderBlobStore(data.lake), control, now }),
          now,
          window: { fromMs: toMs - options.since * 3_600_000, toMs },
          inputs: settingOf(configuration.runbooks.settings, runbook).inputs,
          dryRun,
          trigger: 'person',
          requestedBy: userInfo().username,
        }),
      ),
    );
  } finally {
    await journal.close();
  }
}

/** A dry run records nothing; one that would is a fault of ours. */
const nothingToRecord: Journal = {
  record: () => Promise.reject(new Error('a dry run wanted to record an event')),
  subscribe: () => () => undefined,
  close: async () => undefined,
};

/** A run by a person writes to a stream of its own, so that it never waits for the gateway's journal. */
async function openOwnJournal(
  data: DataDirectory,
  configuration: Configuration,
  { now, output }: CommandContext,
): Promise<Journal> {
  const { gateway } = configuration;
  return openJournal({
    directory: data.root,
    stream: streamName('by-hand'),
    origin: {
      eventSource: gateway.eventSource,
      awsRegion: gateway.region,
      recipientAccountId: gateway.account,
    },
    proxyId: 'by-hand',
    now,
    randomBytes,
    digests: await digestSettings(data, configuration),
    onFault: (error) => output.note(error.message),
  });
}
