import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program of the system that the tests drive, and the package that brings it. */
type Prerequisite = { readonly program: string; readonly debian: string; readonly macos: string };

const prerequisites: readonly Prerequisite[] = [
  { program: 'ssh', debian: 'openssh-client', macos: 'openssh (part of the system)' },
  { program: 'ssh-keygen', debian: 'openssh-client', macos: 'openssh (part of the system)' },
  { program: 'ssh-agent', debian: 'openssh-client', macos: 'openssh (part of the system)' },
  { program: 'scp', debian: 'openssh-client', macos: 'openssh (part of the system)' },
  { program: 'sftp', debian: 'openssh-client', macos: 'openssh (part of the system)' },
  { program: 'sshd', debian: 'openssh-server', macos: 'openssh (part of the system)' },
  { program: 'rsync', debian: 'rsync', macos: 'rsync (brew install rsync)' },
  { program: 'git', debian: 'git', macos: 'git (xcode-select --install)' },
  { program: 'python3', debian: 'python3-venv', macos: 'python3 (xcode-select --install)' },
  { program: 'curl', debian: 'curl', macos: 'curl (part of the system)' },
  { program: 'plink', debian: 'putty-tools', macos: 'putty (brew install putty)' },
  { program: 'psftp', debian: 'putty-tools', macos: 'putty (brew install putty)' },
  { program: 'puttygen', debian: 'putty-tools', macos: 'putty (brew install putty)' },
  { program: 'dbclient', debian: 'dropbear-bin', macos: 'dropbear (brew install dropbear)' },
  { program: 'bash', debian: 'bash', macos: 'bash (brew install bash)' },
  { program: 'zsh', debian: 'zsh', macos: 'zsh (part of the system)' },
  { program: 'fish', debian: 'fish', macos: 'fish (brew install fish)' },
  { program: 'dash', debian: 'dash', macos: 'dash (part of the system)' },
  { program: 'dropbear', debian: 'dropbear-bin', macos: 'dropbear (brew install dropbear)' },
];

/** Where servers live that a user's PATH often leaves out. */
const serverFolders = ['/usr/sbin', '/usr/local/sbin', '/sbin'];

export function missingPrerequisites(path: string): readonly Prerequisite[] {
  const folders = [...path.split(delimiter), ...serverFolders];
  return prerequisites.filter(({ program }) => !folders.some((folder) => existsSync(join(folder, program))));
}

/**
 * Makes sure that the programs the tests drive are there: as root on Debian installs what is missing, elsewhere says
 * exactly what to install. Returns undefined when all is there, else the sentence to print.
 */
export function ensurePrerequisites(
  path: string,
  platform: NodeJS.Platform,
  isRoot: boolean,
): string | undefined {
  const missing = missingPrerequisites(path);
  if (missing.length === 0) return undefined;

  const programs = missing.map(({ program }) => program).join(', ');
  if (platform === 'darwin')
    return `the tests need ${programs}: install ${unique(missing.map(({ macos }) => macos)).join(', ')}`;

  const packages = unique(missing.map(({ debian }) => debian));
  const command = `apt-get update && apt-get install -y ${packages.join(' ')}`;
  if (!isRoot || !existsSync('/usr/bin/apt-get')) {
    return `the tests need ${programs}: install the packages ${packages.join(', ')} (on Debian: sudo sh -c '${command}')`;
  }

  console.log(`installing ${packages.join(', ')} for the tests`);
  const install = spawnSync('sh', ['-c', command], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (install.status !== 0)
    return `could not install ${packages.join(', ')}: run '${command}' and look at what it says`;
  const still = missingPrerequisites(path);
  return still.length === 0
    ? undefined
    : `still missing after installation: ${still.map(({ program }) => program).join(', ')}`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
