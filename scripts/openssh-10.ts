import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { complaintOf } from './complaint.ts';

/** OpenSSH 10.0 of Debian's backports, unpacked beside the system's own and never installed. */
export type OpenSsh10 =
  | { readonly ok: true; readonly folder: string }
  | { readonly ok: false; readonly reason: string };

const limitMs = 180_000;

/** Fetches the packages into `.cache/openssh-10` unless they are there. Works on Debian 12 alone, whose own is 9.2. */
export async function ensureOpenSsh10(root: string): Promise<OpenSsh10> {
  const folder = join(root, '.cache', 'openssh-10');
  const unpacked = { ok: true, folder: join(folder, 'unpacked') } as const;
  if (existsSync(join(folder, 'complete'))) return unpacked;
  if (!readOsRelease().includes('VERSION_CODENAME=bookworm'))
    return { ok: false, reason: 'this is not Debian 12, for which its backports are made' };
  console.log('fetching OpenSSH 10.0 for the tests into .cache/openssh-10');
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['lists/partial', 'archives/partial', 'packages', 'unpacked'])
    mkdirSync(join(folder, part), { recursive: true });
  const mirror = debianMirror();
  if (mirror === undefined)
    return {
      ok: false,
      reason: 'the sources of apt name no mirror of Debian; add one to /etc/apt/sources.list',
    };
  const sources = join(folder, 'sources.list');
  writeFileSync(
    sources,
    `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror} bookworm-backports main\n`,
  );
  const apt = [
    'apt-get',
    '-o',
    `Dir::Etc::SourceList=${sources}`,
    '-o',
    'Dir::Etc::SourceParts=/dev/null',
    '-o',
    `Dir::State::Lists=${join(folder, 'lists')}`,
    '-o',
    `Dir::Cache=${folder}`,
    '-o',
    'APT::Sandbox::User=root',
    '-q',
  ];
  for (const command of [
    [...apt, 'update'],
    [...apt, 'download', 'openssh-client', 'openssh-server'],
  ]) {
    const complaint = await complaintOf(command, { cwd: join(folder, 'packages'), limitMs });
    if (complaint !== undefined) return { ok: false, reason: `${command.at(-1)}: ${complaint}` };
  }
  for (const name of readdirSync(join(folder, 'packages'))) {
    const unpack = ['dpkg-deb', '-x', join(folder, 'packages', name), unpacked.folder];
    const complaint = await complaintOf(unpack, { limitMs });
    if (complaint !== undefined) return { ok: false, reason: `${name}: ${complaint}` };
  }
  writeFileSync(join(folder, 'complete'), '');
  return unpacked;
}

/** The mirror this system takes its own packages from. */
function debianMirror(): string | undefined {
  const folder = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []),
  ];
  for (const file of files.filter((path) => existsSync(path))) {
    const text = readFileSync(file, 'utf8');
    const found =
      /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+bookworm\s/m.exec(text)?.[1] ??
      /^URIs:\s*(\S+)(?:[^\n]*\n)+?Suites:[^\n]*\bbookworm\b/m.exec(text)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}

function readOsRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}
