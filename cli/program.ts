import { Command } from 'commander';
import type { CommandContext } from './command-context.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { exportCommand } from './export.ts';
import { extractCommand } from './extract.ts';
import { deniedCommand, lastCommand } from './history.ts';
import { openOriginalCommand } from './open-original.ts';
import { playCommand } from './play.ts';
import { queryCommand } from './query.ts';
import { runbookCommand } from './runbook.ts';
import { searchCommand } from './search.ts';
import { killCommand, sessionsCommand } from './sessions.ts';
import { sshConfigCommand } from './ssh-config.ts';
import { totpCommand } from './totp.ts';
import { upCommand } from './up.ts';
import { verifyCommand } from './verify.ts';
import { version } from './version.ts';
import { watchCommand } from './watch.ts';

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
    verifyCommand,
    runbookCommand,
    totpCommand,
    sshConfigCommand,
    doctorCommand,
    demoCommand,
  ]) {
    program.addCommand(make(context));
  }
  return program;
}
