import { pseudoRandom } from './planted-secrets.ts';

type Random = (below: number) => number;

const hex = '0123456789abcdef';
const base64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const names = [
  'web',
  'db',
  'cache',
  'payments',
  'auth-service',
  'token-broker',
  'secret-sync',
  'key-server',
  'passwd-reset',
  'ingest',
];
const messages = [
  'Fix token refresh when the session has expired',
  'Rotate keys monthly (#1234)',
  'Add password strength meter',
  'docs: say how secrets are mounted',
  'Bump the version of the key library',
  'Merge branch "fix/passwd-path"',
];

function word(random: Random, length: number, from: string): string {
  return Array.from({ length }, () => from[random(from.length)] ?? '').join('');
}

function pick(random: Random, from: readonly string[]): string {
  return from[random(from.length)] ?? '';
}

const time = (random: Random) =>
  `2026-0${1 + random(9)}-1${random(10)}T1${random(10)}:${10 + random(50)}:${10 + random(50)}.${100 + random(900)}Z`;
const uuid = (random: Random) => [8, 4, 4, 4, 12].map((length) => word(random, length, hex)).join('-');
const address = (random: Random) => `192.0.2.${random(256)}`;

/** Lines as they stand on screens all day, many with a word that announces secrets elsewhere. */
const shapes: readonly ((random: Random) => string)[] = [
  (random) => `commit ${word(random, 40, hex)}`,
  (random) => `${word(random, 7, hex)} ${pick(random, messages)}`,
  (random) => `    ${pick(random, messages)}`,
  (random) => `Date:   Sat Nov 2${random(10)} 1${random(10)}:00:00 2026 +0000`,
  (random) => `${word(random, 64, hex)}  ${pick(random, names)}.tar.gz`,
  (random) => `sha256:${word(random, 64, hex)}`,
  (random) => `requestId=${uuid(random)} status=200 bytes=${random(100_000)}`,
  (random) =>
    `${time(random)} INFO ${pick(random, names)} user=${uuid(random)} logged in from ${address(random)}`,
  (random) => `${time(random)} WARN token expired for user ${random(10_000)}, refreshing`,
  (random) => `${time(random)} ERROR authentication failed: invalid password for user bob${random(100)}`,
  (random) =>
    `Nov 2${random(10)} 10:00:00 web-1 sshd[${random(30_000)}]: Failed password for root from ${address(random)} port ${1024 + random(60_000)} ssh2`,
  (random) =>
    `Nov 2${random(10)} 10:00:00 web-1 sshd[${random(30_000)}]: Accepted publickey for bob from ${address(random)} port 22 ssh2: ED25519 SHA256:${word(random, 43, base64)}`,
  (random) =>
    `${pick(random, names)}-${word(random, 10, 'bcdfghjklmnpqrstvwxz2456789')}-${word(random, 5, 'bcdfghjklmnpqrstvwxz2456789')}   1/1     Running   0          ${random(90)}d`,
  (random) => `secret/${pick(random, names)}-tls   kubernetes.io/tls   2      ${random(90)}d`,
  (random) =>
    `default-token-${word(random, 5, 'bcdfghjklmnpqrstvwxz2456789')}   kubernetes.io/service-account-token   3   ${random(300)}d`,
  (random) => `kubectl get secret ${pick(random, names)}-credentials -n prod`,
  (random) => `$ cat /etc/passwd | grep -c ${pick(random, names)}`,
  (random) =>
    `${pick(random, names)}:x:${1000 + random(500)}:${1000 + random(500)}:,,,:/home/${pick(random, names)}:/bin/bash`,
  () => 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  () => 'KEYBOARD=us',
  (random) => `PWD=/home/bob/src/${pick(random, names)}`,
  () => 'LESSKEY=/etc/lesskey.bin',
  (random) => `SSH_AUTH_SOCK=/tmp/ssh-${word(random, 10, base64.slice(0, 52))}/agent.${random(9999)}`,
  () => 'XMODIFIERS=@im=ibus TERM=xterm-256color COLORTERM=truecolor',
  (random) =>
    `-rw-r--r-- 1 root root ${random(99_999)} Nov  1 10:00 ${pick(random, ['passwd', 'shadow', 'secrets.yaml', 'token.txt', 'id_ed25519.pub', 'known_hosts'])}`,
  (random) => word(random, 76, base64),
  (random) => `data:image/png;base64,iVBORw0KGgo${word(random, 120, base64)}`,
  (random) => `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${word(random, 43, base64)} bob@web-1`,
  (random) => `ssh -p ${1024 + random(5000)} -i ~/.ssh/id_ed25519 bob@${pick(random, names)}.example.com`,
  (random) => `docker run -d -p ${random(9)}080:80 --name ${pick(random, names)} -u 1000:1000 nginx`,
  (random) =>
    `curl -sSf https://${pick(random, names)}.example.com:8443/healthz?verbose=1&id=${uuid(random)}`,
  (random) => `GET /api/v1/keys/${word(random, 24, hex)} HTTP/1.1`,
  (random) =>
    `${address(random)} - - [21/Nov/2026:10:00:00 +0000] "POST /login/password HTTP/1.1" 302 ${random(999)} "-" "Mozilla/5.0"`,
  (random) => `const key = cache.get(\`user:\${id}\`); // ${random(99)}`,
  (random) => `  if (token.kind === 'string') return token.value.slice(${random(9)});`,
  (random) => `for key in sorted(config): print(key, ${random(9)})`,
  (random) => `    "key": "${pick(random, names)}", "tokens": ${random(9999)}, "max_tokens": 4096`,
  (random) => `Unpacking libpam-pwquality (1.4.${random(9)}) over (1.4.0) ...`,
  (random) => `Setting up passwd (1:4.13+dfsg1-${random(9)}) ...`,
  (random) =>
    `gpg: key ${word(random, 16, hex).toUpperCase()}: public key "Example <bob@example.com>" imported`,
  (random) =>
    `PRIMARY KEY (id), KEY idx_user_${random(9)} (user_id), FOREIGN KEY (team) REFERENCES team (id)`,
  (random) => `SELECT id, name FROM api_keys WHERE user_id = ${random(9999)} LIMIT 10;`,
  (random) => `mysql -h ${pick(random, names)}.example.com -P 3306 -u app shop`,
  (random) => `psql -h ${pick(random, names)}.example.com -p 5432 -U app shop`,
  (random) =>
    `tar -C /srv -xpf ${pick(random, names)}-${random(9)}.${random(9)}.tar.gz && mkdir -p /srv/mysql`,
  (random) => `gzip -c ${pick(random, names)}.log > ${pick(random, names)}.log.gz`,
  () => 'Enter passphrase for key "/home/bob/.ssh/id_ed25519": ',
  () => '[sudo] password for bob: ',
  () => 'Password: ',
  (random) =>
    `app --password-file /run/secrets/${pick(random, names)} --token-ttl ${random(60)}m --key-id ${random(99)}`,
  (random) => `export TOKEN_FILE=/run/secrets/${pick(random, names)} API_KEY_ID=${random(99)}`,
  (random) => `mysql --password="$DB_PASSWORD" --user=app ${pick(random, names)}`,
  (random) => `curl -H "Authorization: Bearer $TOKEN" https://${pick(random, names)}.example.com/`,
  (random) => `+ password: \${{ secrets.${pick(random, names).toUpperCase().replace('-', '_')} }}`,
  (random) => `modified:   src/${pick(random, names)}/password-policy.ts | ${random(99)} ++--`,
  (random) =>
    `Get:${random(99)} http://deb.example.com/debian bookworm/main amd64 libsecret-1-0 amd64 0.20.5-3 [${random(99)}.1 kB]`,
  (random) =>
    `arn:aws:secretsmanager:eu-central-1:123456789012:secret:${pick(random, names)}-${word(random, 6, base64.slice(0, 52))}`,
  (random) => `arn:aws:kms:eu-central-1:123456789012:key/${uuid(random)}`,
  (random) => `i-0${word(random, 16, hex)}  running  t4g.small  ${address(random)}`,
  (random) => `npm WARN deprecated node-pre-gyp@0.${random(20)}.0: use @mapbox/node-pre-gyp`,
  (random) => `"integrity": "sha512-${word(random, 86, base64)}=="`,
  (random) => `  at Parser.readToken (/srv/app/parser.js:${random(999)}:${random(80)})`,
  (random) => `[${word(random, 8, hex)}] cookie banner accepted=${random(2)}`,
  (random) =>
    `Public-Key: (2048 bit) Modulus: 00:${word(random, 2, hex)}:${word(random, 2, hex)}:${word(random, 2, hex)}`,
  (random) =>
    `${random(99_999)} bob 20 0 ${random(999_999)} ${random(9999)} S 0.${random(9)} 0.1 0:00.01 ssh-agent -s`,
];

export function harmlessLines(count: number, seed: string): readonly string[] {
  const random = pseudoRandom(seed);
  return Array.from({ length: count }, (_, index) => shapes[index % shapes.length]?.(random) ?? '');
}
