import { join, resolve } from 'node:path';

/** Where everything of one installation lives; `docs/architecture.md` draws it. */
export type DataDirectory = {
  readonly root: string;
  readonly configuration: string;
  readonly policy: string;
  readonly control: string;
  readonly lake: string;
  readonly journal: string;
  readonly spool: string;
  readonly keys: string;
  readonly userAuthorityKey: string;
  readonly engineerAuthorityKey: string;
  readonly hostAuthorityKey: string;
  readonly hostKey: string;
  readonly evidenceKey: string;
  readonly demo: string;
  readonly playground: string;
  readonly knownHosts: string;
  readonly sshConfig: string;
};

/** The folder used when neither `--data` nor SSHTRAIL_DATA says another. */
export const defaultDataDirectory = 'sshtrail-data';

export function dataDirectory(path: string): DataDirectory {
  const root = resolve(path);
  const keys = join(root, 'keys');
  return {
    root,
    configuration: join(root, 'sshtrail.yaml'),
    policy: join(root, 'policy.cedar'),
    control: join(root, 'control.sqlite'),
    lake: join(root, 'lake'),
    journal: join(root, 'journal'),
    spool: join(root, 'spool'),
    keys,
    userAuthorityKey: join(keys, 'user-ca.pem'),
    engineerAuthorityKey: join(keys, 'engineer-ca.pem'),
    hostAuthorityKey: join(keys, 'host-ca.pem'),
    hostKey: join(keys, 'host-ed25519'),
    evidenceKey: join(keys, 'evidence.pem'),
    demo: join(root, 'demo'),
    playground: join(root, 'playground'),
    knownHosts: join(root, 'known_hosts'),
    sshConfig: join(root, 'ssh_config'),
  };
}
