import type { RedactionRule } from './rule.ts';

/** A shell word or a quoted text; the groups are what stands inside. */
const value = '(?:"([^"]{1,512})|\'([^\']{1,512})|([^\\s"\'|;&<>()][^\\s"\'|;&<>]{0,511}))';
const rest = '([^\\s"\'][^"\'\\r\\n]{0,2047})';

/** What may follow the name of a variable without making it the name of something else, such as of a file. */
const suffix =
  '(?:[0-9]{1,3}|prod|production|staging|stage|dev|test|new|old|live|value|base64|b64|hash|salt|key|base|string|default|root|admin|user|main|primary|secondary|backup|tmp)';

/** Secrets that are known by what stands before them. */
export const valueRules: readonly RedactionRule[] = [
  {
    id: 'long-flag',
    pattern: `(?i)(?<![\\w-])--?(?:[a-z0-9]{1,20}[-_]){0,3}(?:password|passwd|passphrase|pass|pwd|secret|token|api-?key|access-?key|secret-?key|private-?key|auth-?key|account-?key|encryption-?key|master-?key)(?:=|\\s{1,4})${value}`,
    keywords: ['-pass', 'pwd', 'secret', 'token', 'key', '_pass', 'passw'],
  },
  {
    id: 'mysql-password',
    pattern: `(?<=\\s)-p${value}`,
    keywords: ['mysql', 'mariadb', 'mycli'],
    after: [
      'mysql',
      'mysqldump',
      'mysqladmin',
      'mysqlimport',
      'mysqlshow',
      'mysqlcheck',
      'mysqlbinlog',
      'mysqlsh',
      'mariadb',
      'mariadb-dump',
      'mariadb-admin',
      'mariadb-backup',
      'mariabackup',
      'mycli',
      'xtrabackup',
    ],
  },
  {
    id: 'sshpass-password',
    pattern: `(?<=\\s)-p\\s{0,4}${value}`,
    keywords: ['sshpass'],
    after: ['sshpass'],
  },
  {
    id: 'login-password',
    pattern: `(?<=\\s)-p\\s{0,4}${value}`,
    keywords: [' login', 'mongo', 'rabbitmqadmin'],
    after: [
      'docker login',
      'podman login',
      'nerdctl login',
      'buildah login',
      'skopeo login',
      'oras login',
      'crane auth login',
      'helm registry login',
      'oc login',
      'az login',
      'cf login',
      'mongo',
      'mongosh',
      'mongodump',
      'mongorestore',
      'mongoexport',
      'mongoimport',
      'rabbitmqadmin',
    ],
  },
  {
    id: 'redis-password',
    pattern: `(?:(?<=\\s)-a|\\bAUTH|\\bauth|\\brequirepass|\\bmasterauth)\\s{1,4}${value}`,
    keywords: ['redis', 'requirepass', 'masterauth'],
    after: ['redis-cli', 'redis', 'requirepass', 'masterauth'],
  },
  {
    id: 'ldap-password',
    pattern: `(?<=\\s)-w\\s{0,4}${value}`,
    keywords: ['ldap'],
    after: [
      'ldapsearch',
      'ldapadd',
      'ldapmodify',
      'ldapdelete',
      'ldapwhoami',
      'ldappasswd',
      'ldapcompare',
      'ldapmodrdn',
    ],
  },
  {
    id: 'archive-password',
    pattern: `(?<=\\s)(?:-P\\s{0,4}|-p|-hp)${value}`,
    keywords: ['zip ', 'unrar', 'rar ', '7za', '7zz', '7z '],
    after: ['zip', 'unzip', '7z', '7za', '7zz', '7zr', 'rar', 'unrar'],
  },
  {
    id: 'ipmi-password',
    pattern: `(?<=\\s)-P\\s{0,4}${value}`,
    keywords: ['ipmitool', 'sqlcmd', 'tsql', 'mosquitto_'],
    after: ['ipmitool', 'sqlcmd', 'tsql', 'bcp', 'mosquitto_pub', 'mosquitto_sub'],
  },
  {
    id: 'snmp-secret',
    pattern: `(?<=\\s)-[AXc]\\s{0,4}${value}`,
    keywords: ['snmp'],
    after: ['snmpwalk', 'snmpget', 'snmpbulkwalk', 'snmpset', 'snmptrap'],
  },
  {
    id: 'openssl-password',
    pattern: `(?:(?<=\\s)-k\\s{1,4}|\\bpass:)${value}`,
    keywords: ['openssl'],
    after: ['openssl', 'pass:'],
  },
  {
    id: 'user-password',
    pattern:
      '(?<=\\s)(?:-u|-U|--user|--proxy-user|-a|--auth)(?:=|\\s{0,4})(?:"[^\\s:"]{0,128}:([^"]{1,512})|\'[^\\s:\']{0,128}:([^\']{1,512})|[^\\s:"\']{0,128}:([^\\s"\']{1,512}))',
    keywords: ['curl', 'httpie', 'http ', 'https ', 'xh '],
    after: ['curl', 'http', 'https', 'httpie', 'xh'],
  },
  {
    id: 'smb-password',
    pattern: '(?<=\\s)(?:-U|--user)(?:=|\\s{0,4})["\']?[^\\s%"\']{1,128}%([^\\s"\']{1,512})',
    keywords: ['smbclient', 'rpcclient', 'smbmap', 'mount.cifs'],
    after: ['smbclient', 'rpcclient', 'smbmap'],
  },
  { id: 'rdp-password', pattern: `(?<=\\s)/p:${value}`, keywords: ['freerdp', 'rdesktop'] },
  {
    id: 'htpasswd-password',
    pattern: `(?<=\\s)-[AC-Zac-z]{0,6}b[A-Za-z]{0,6}\\s{1,4}(?:[^\\s-][^\\s]{0,255}\\s{1,4}){1,2}${value}`,
    keywords: ['htpasswd'],
    after: ['htpasswd'],
  },
  {
    id: 'piped-password',
    pattern: `\\b(?:echo|printf)\\s{1,4}(?:-[neE]{1,3}\\s{1,4})?(?:"([^"]{1,512})"|'([^']{1,512})'|([^\\s"'|;&<>]{1,512}))\\s{0,4}\\|\\s{0,4}(?:sudo\\s{1,4}-[A-RT-Za-z]{0,6}S|sudo\\s{1,4}--stdin|passwd\\s|chpasswd|sudo\\s{1,4}(?:passwd|chpasswd)|\\S{1,64}\\s{1,4}login\\s|cryptsetup|kinit|smbpasswd)`,
    keywords: ['echo', 'printf'],
  },
  {
    id: 'assignment',
    pattern: `(?i)(?:password|passwd|passphrase|passwort|(?<![k])pass|(?<=[_;.-])pwd|passcode|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key|encryption[_-]?key|signing[_-]?key|auth[_-]?key|master[_-]?key|account[_-]?key|deploy[_-]?key|credentials?)(?:_${suffix})?=${value}`,
    keywords: ['pass', 'pwd', 'secret', 'token', 'key', 'credential'],
  },
  {
    id: 'key-variable',
    pattern: `(?<![A-Za-z])(?:[A-Z0-9]{1,32}_){0,6}KEY(?:_${suffix})?=${value}`,
    keywords: ['key=', 'key_'],
  },
  {
    id: 'spaced-assignment',
    pattern:
      '(?i)(?<!\\$)(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key|encryption[_-]?key|auth[_-]?key)["\']?\\s{0,4}(?:=>|:=|=)\\s{1,4}(?:"([^"]{1,512})"|\'([^\']{1,512})\'|([^\\s"\'(){}<>=,;]{1,512})[,;]?$)',
    keywords: ['pass', 'secret', 'token', 'key'],
  },
  {
    id: 'labelled-value',
    pattern:
      '(?i)(?<![\\w$])(?:[a-z0-9]{1,32}[_.-]){0,2}(?:password|passwd|passphrase|secret|client_?secret|api[_-]?key|access[_-]?token|refresh[_-]?token|auth[_-]?token|id[_-]?token|private[_-]?key|secret[_-]?key|access[_-]?key)["\']?\\s{0,2}:(?:\\s{0,4}(?:"([^"]{1,512})"|\'([^\']{1,512})\')|\\s{1,4}([^\\s"\'(){}<>,]{1,512})$)',
    keywords: ['pass', 'secret', 'token', 'key'],
  },
  {
    id: 'quoted-token',
    pattern: '(?i)(?:token|auth)"\\s{0,2}:\\s{0,4}"([^"]{8,2048})"',
    keywords: ['token"', 'auth"'],
  },
  { id: 'url-password', pattern: '://[^\\s:/@"\'<>]{0,128}:([^\\s@/"\'<>]{1,256})@', keywords: ['://'] },
  { id: 'url-token', pattern: '://([A-Za-z0-9_-]{20,255})@', keywords: ['://'] },
  {
    id: 'url-parameter',
    pattern:
      '(?i)[?&](?:access_token|refresh_token|id_token|auth_token|token|api_?key|apikey|key|secret|client_secret|password|passwd|sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature)=([^&\\s"\'#<>]{4,2048})',
    keywords: ['token=', 'key=', 'secret=', 'passw', 'sig=', 'signature='],
  },
  {
    id: 'authorization-header',
    pattern: `(?i)\\b(?:proxy-)?authorization["']?\\s{0,2}[:=]\\s{0,4}["']?(?:(?:basic|bearer|token|digest|negotiate|apikey|aws4-hmac-sha256)\\s{1,4})?${rest}`,
    keywords: ['authorization'],
  },
  { id: 'bearer-token', pattern: '(?i)\\bbearer\\s{1,4}([A-Za-z0-9._~+/=-]{16,2048})', keywords: ['bearer'] },
  {
    id: 'cookie-header',
    pattern: `(?i)\\b(?:set-)?cookie["']?\\s{0,2}:\\s{0,4}${rest}`,
    keywords: ['cookie'],
  },
  {
    id: 'curl-cookie',
    pattern: '(?<=\\s)(?:-b|--cookie)(?:=|\\s{1,4})["\']?([^\\s"\'=]{1,128}=[^"\'\\s]{1,1024})',
    keywords: ['curl'],
    after: ['curl'],
  },
  {
    id: 'secret-header',
    pattern: `(?i)\\b(?:x-(?:[a-z]{1,16}-){0,4}(?:key|token|secret|signature)|private-token|job-token|deploy-token|api-key|apikey|dd-api-key|ocp-apim-subscription-key)["']?\\s{0,2}:\\s{0,4}["']?${rest}`,
    keywords: ['-key', '-token', '-secret', 'apikey', '-signature'],
  },
  {
    id: 'netrc-password',
    pattern:
      '(?:^\\s{0,16}|\\blogin\\s{1,4}\\S{1,128}\\s{1,4})(?:password|passwd)\\s{1,4}(\\S{1,512})\\s{0,8}$',
    keywords: ['passw'],
  },
  {
    id: 'pgpass-line',
    pattern:
      '(?<![^\\s"\'])[^\\s:"\']{1,255}:(?:\\d{4,5}|\\*):[^\\s:]{1,64}:[^\\s:]{1,64}:([^\\s"\']{1,512})',
    keywords: [':5432:', ':5433:', ':6432:', ':*:'],
  },
  {
    id: 'sql-password',
    pattern:
      '(?i)\\b(?:identified\\s{1,4}(?:with\\s{1,4}\\w{1,64}\\s{1,4})?by|password)\\s{1,4}(?:password\\s{1,4}|=\\s{0,4})?(?:\'([^\']{1,512})\'|"([^"]{1,512})")',
    keywords: ['identified', 'password'],
  },
];
