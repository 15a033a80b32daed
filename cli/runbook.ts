import { userInfo } from 'node:os';
import { createConsoleNotifier, createFolderBlobStore, openTemporaryLake } from '#adapters/local';
import type { Configuration } from '#core/configuration';
import type { Journal } from '#core/contract';
import { createActionExecutor, type Runbook, type RunReport, runRunbook, testRunbook } from '#core/runbook';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData, type JsonOption } from './command-context.ts';
import type { FolderOption, RunOptions } from './commands/runbook.ts';
import type { DataDirectory } from './data-directory.ts';
import { readConfiguration } from './installation.ts';
import { withLake } from './lake-query.ts';
import { jsonText, printable, table } from './output.ts';
import { openOwnJournal } from './own-journal.ts';
import {
  configuredRunbooks,
  problemLine,
  productRunbooks,
  readRunbooks,
  requireRunbooks,
  settingOf,
} from './runbook-files.ts';
import { withControl } from './sessions-locally.ts';

export function listRunbooks(options: FolderOption & JsonOption, context: CommandContext): void {
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
}

export function lintRunbooks(options: FolderOption & JsonOption, context: CommandContext): void {
  const { runbooks, problems } = readRunbooks(options.directory ?? productRunbooks);
  if (options.json === true) context.output.line(jsonText(problems));
  else for (const problem of problems) context.output.line(printable(problemLine(problem)));
  if (problems.length > 0)
    throw new CliError('bad-input', `${problems.length} problems; correct what is listed above`);
  context.output.note(`${runbooks.length} runbooks, no problems`);
}

export async function testRunbooks(
  options: FolderOption & JsonOption,
  context: CommandContext,
): Promise<void> {
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
}

export async function runOneRunbook(id: string, options: RunOptions, context: CommandContext): Promise<void> {
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
