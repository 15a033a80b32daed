import { Command } from 'commander';
import type { CommandContext } from './command-context.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { exportCommand } from './commands/export.ts';
import { extractCommand } from './commands/extract.ts';
import { deniedCommand, lastCommand } from './commands/history.ts';
import { hostsCommand } from './commands/hosts.ts';
import { lockCommand, locksCommand, unlockCommand } from './commands/locks.ts';
import { loginCommand } from './commands/login.ts';
import { openOriginalCommand } from './commands/open-original.ts';
import { playCommand } from './commands/play.ts';
import { policyCommand } from './commands/policy.ts';
import { queryCommand } from './commands/query.ts';
import {
  approveCommand,
  cancelCommand,
  rejectCommand,
  requestCommand,
  requestsCommand,
} from './commands/requests.ts';
import { runbookCommand } from './commands/runbook.ts';
import { searchCommand } from './commands/search.ts';
import { killCommand, sessionsCommand } from './commands/sessions.ts';
import { sshConfigCommand } from './commands/ssh-config.ts';
import { totpCommand } from './commands/totp.ts';
import { upCommand } from './commands/up.ts';
import { verifyCommand } from './commands/verify.ts';
import { watchCommand } from './commands/watch.ts';
import { version } from './version.ts';

/** The whole command line. */
export function buildProgram(context: CommandContext): Command {
  const program = new Command('sshtrail')
    .description('an SSH access proxy whose audit trail can be queried, proved and acted upon')
    .version(version)
    .showHelpAfterError('(try --help)')
    .showSuggestionAfterError();
  for (const make of [
    upCommand,
    sessionsCommand,
    lastCommand,
    deniedCommand,
    queryCommand,
    searchCommand,
    playCommand,
    watchCommand,
    extractCommand,
    exportCommand,
    openOriginalCommand,
    killCommand,
    requestCommand,
    requestsCommand,
    approveCommand,
    rejectCommand,
    cancelCommand,
    lockCommand,
    unlockCommand,
    locksCommand,
    verifyCommand,
    runbookCommand,
    hostsCommand,
    policyCommand,
    loginCommand,
    totpCommand,
    sshConfigCommand,
    doctorCommand,
    demoCommand,
  ]) {
    program.addCommand(make(context));
  }
  return program;
}
