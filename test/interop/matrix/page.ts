import { type Feature, features } from './clients.ts';

/** What ran and held. */
export type MatrixResults = {
  readonly clients: readonly string[];
  readonly servers: readonly string[];
  /** By `client / server`. */
  readonly pairs: ReadonlyMap<string, ReadonlySet<Feature>>;
  /** By profile: clients that got in. */
  readonly profiles: ReadonlyMap<string, ReadonlySet<string>>;
  /** By peer (client or server): names of algorithms. */
  readonly algorithms: ReadonlyMap<string, ReadonlySet<string>>;
  /** In the order of the profiles. */
  readonly algorithmNames: readonly { readonly kind: string; readonly name: string }[];
};

/** docs/interop.md: the same bytes for the same results. */
export function interopPage(results: MatrixResults): string {
  const { clients, servers, pairs, profiles, algorithms, algorithmNames } = results;
  const peers = [...algorithms.keys()];
  return [
    '# Interoperability',
    '',
    'Written by the tests that ran (`npm test` compares; `UPDATE_INTEROP_PAGE=1 npm test -- test/interop/matrix` writes it anew). Every cell is',
    'a stock program through a whole gateway, recording on, profile `compatible`; the gateway takes new keys every 4 MiB on both of its sides.',
    '',
    '## Clients and servers',
    '',
    ...table(
      ['client', 'server', ...features],
      clients.flatMap((client) =>
        servers.map((server) => [
          client,
          server,
          ...features.map((feature) =>
            pairs.get(`${client} / ${server}`)?.has(feature) === true ? 'yes' : '-',
          ),
        ]),
      ),
    ),
    '',
    '`-`: the client has no such thing. PuTTY is plink and psftp, libssh2 is curl, scp -O is the legacy protocol. The OpenSSH and Dropbear servers take the',
    "gateway's certificate and a key of its own (`credential`), in that order: Dropbear knows no certificates.",
    '',
    '## Profiles',
    '',
    'Who gets in with which setting of `gateway.algorithms`.',
    '',
    ...table(
      ['client', 'modern (default)', 'compatible', 'fips'],
      clients.map((client) => [
        client,
        profiles.get('modern')?.has(client) === true ? 'yes' : 'no',
        servers.some((server) => (pairs.get(`${client} / ${server}`)?.size ?? 0) > 0) ? 'yes' : 'no',
        profiles.get('fips')?.has(client) === true ? 'yes' : 'no',
      ]),
    ),
    '',
    '## Algorithms',
    '',
    'One command for each, forced on by one side: clients by their own options, servers by a configuration with nothing else.',
    '',
    ...table(
      ['', 'algorithm', ...peers],
      algorithmNames.map(({ kind, name }) => [
        kind,
        `\`${name}\``,
        ...peers.map((peer) => (algorithms.get(peer)?.has(name) === true ? 'yes' : '-')),
      ]),
    ),
    '',
    '`-`: the program has it not, or cannot be told to use nothing else.',
    '',
    '## Not run',
    '',
    'Other versions of these programs, OpenSSH on Windows and macOS, WinSCP, libssh, paramiko, AsyncSSH, Go, russh, Apache MINA, and network equipment.',
    '',
  ].join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
