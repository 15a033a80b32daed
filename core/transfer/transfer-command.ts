import type { TransferDirection, TransferProtocol } from './file-operation.ts';
import { plainWords } from './plain-words.ts';

/** A command that is a file transfer and nothing else, as scp, rsync, git and sftp start it on a target. */
export type TransferCommand = {
  readonly protocol: TransferProtocol;
  readonly direction: TransferDirection;
  /** As in the command; of sftp none. */
  readonly paths: readonly string[];
  /** The target's shell makes other words of these. */
  readonly expands: boolean;
  /** Whether the path of an upload is known to be a directory (`scp -d`). */
  readonly names: 'directory' | 'anything';
};

/** Undefined for any other command. */
export function transferCommandOf(command: string): TransferCommand | undefined {
  const plain = plainWords(command);
  const [first = '', ...rest] = plain?.words ?? [];
  if (plain === undefined) return undefined;
  const program = first.replace(/^\/usr\/(?:bin|lib\/openssh|libexec|libexec\/openssh|lib\/ssh)\//, '');
  const parsed = parse(program, rest);
  return parsed === undefined ? undefined : { ...parsed, expands: plain.expands };
}

function parse(program: string, words: readonly string[]): Omit<TransferCommand, 'expands'> | undefined {
  switch (program) {
    case 'scp':
      return scpCommand(words);
    case 'rsync':
      return rsyncCommand(words);
    case 'git':
      return gitCommand(words[0] ?? '', words.slice(1));
    case 'git-upload-pack':
    case 'git-receive-pack':
    case 'git-upload-archive':
      return gitCommand(program.slice('git-'.length), words);
    case 'sftp-server':
    case 'internal-sftp':
      return { protocol: 'sftp', direction: 'both', paths: [], names: 'anything' };
    default:
      return undefined;
  }
}

/** `scp -t|-f [-r|-p|-d|-v] [--] path...` */
function scpCommand(words: readonly string[]): Omit<TransferCommand, 'expands'> | undefined {
  const paths = words.slice(optionsOf(words));
  const flags = words.slice(0, words.length - paths.length).join('');
  const receives = flags.includes('t');
  if (paths.length === 0 || receives === flags.includes('f') || !/^[-tfrpdvq]*$/.test(flags))
    return undefined;
  return {
    protocol: 'scp',
    direction: receives ? 'upload' : 'download',
    paths,
    names: flags.includes('d') ? 'directory' : 'anything',
  };
}

/** How many of the words are options; a bare `--` ends them. */
function optionsOf(words: readonly string[]): number {
  const end = words.findIndex((word) => word === '--' || !word.startsWith('-'));
  if (end < 0) return words.length;
  return words[end] === '--' ? end + 1 : end;
}

/** `rsync --server [--sender] -flags... . path...`: what stands before the `.` are options. */
function rsyncCommand(words: readonly string[]): Omit<TransferCommand, 'expands'> | undefined {
  if (words[0] !== '--server') return undefined;
  const dot = words.indexOf('.');
  const options = words.slice(0, dot < 0 ? words.length : dot);
  return {
    protocol: 'rsync',
    direction: options.includes('--sender') ? 'download' : 'upload',
    paths: dot < 0 ? [] : words.slice(dot + 1),
    names: 'anything',
  };
}

/** `git-upload-pack 'repository'` sends, `git-receive-pack 'repository'` receives. */
function gitCommand(service: string, words: readonly string[]): Omit<TransferCommand, 'expands'> | undefined {
  if (!/^(?:upload-pack|receive-pack|upload-archive)$/.test(service)) return undefined;
  return {
    protocol: 'git',
    direction: service === 'receive-pack' ? 'upload' : 'download',
    paths: words.filter((word) => !word.startsWith('-')),
    names: 'anything',
  };
}
