import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileRule,
  compileRules,
  createValueMemory,
  defaultRules,
  RedactionError,
  redactText,
} from '../../../core/redaction/index.ts';

const rules = compileRules({ defaults: true, rules: [] });
const letters = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const secret = 'hunter2-Zq';

function redacted(text: string): string {
  return redactText(text, rules).text;
}

describe('redactText', () => {
  it.each([
    `mysql -u root -p${secret} shop`,
    `sudo mysqldump --single-transaction -p'${secret}' shop > x.sql`,
    `mariadb -p"${secret}"`,
    `sshpass -p ${secret} ssh web-1`,
    `sshpass -p${secret} ssh web-1`,
    `docker login -u bob -p ${secret} registry.example.com`,
    `app --password=${secret} --verbose`,
    `app --password ${secret}`,
    `app --db-password "${secret}"`,
    `app -password ${secret}`,
    `app --client-secret=${secret}`,
    `app --token ${secret}`,
    `app --api-key=${secret}`,
    `curl -u alice:${secret} https://example.com`,
    `curl -ualice:${secret} https://example.com`,
    `curl --user 'alice:${secret}' https://example.com`,
    `curl -H "Authorization: Bearer ${secret}" https://example.com`,
    `curl -H 'X-Api-Key: ${secret}' https://example.com`,
    `curl -b session=${secret} https://example.com`,
    `curl "https://example.com/x?access_token=${secret}&y=1"`,
    `wget --http-password=${secret} https://example.com`,
    `git clone https://bob:${secret}@example.com/x.git`,
    `psql postgres://app:${secret}@db.example.com/shop`,
    `PGPASSWORD=${secret} psql`,
    `export DB_PASS='${secret}'`,
    `MYSQL_PWD=${secret} mysql`,
    `export SIGNING_KEY=${secret}`,
    `export STRIPE_SECRET_KEY_PROD=${secret}`,
    `  "password": "${secret}",`,
    `password: ${secret}`,
    `password = "${secret}"`,
    `$db_password = '${secret}';`,
    `Server=db;User Id=sa;Password=${secret};`,
    `Server=db;Uid=sa;Pwd=${secret};`,
    `machine example.com login bob password ${secret}`,
    `    password ${secret}`,
    `db.example.com:5432:shop:app:${secret}`,
    `*:*:*:app:${secret}`,
    `Cookie: sid=${secret}; theme=dark`,
    `Set-Cookie: sid=${secret}; HttpOnly`,
    `Authorization: Basic ${secret}`,
    `redis-cli -a ${secret} ping`,
    `ldapsearch -x -D cn=admin -w ${secret}`,
    `zip -P ${secret} x.zip y`,
    `7z a -p${secret} x.7z y`,
    `openssl rsa -passin pass:${secret} -in k`,
    `ipmitool -H 192.0.2.1 -U admin -P ${secret} power status`,
    `snmpwalk -v2c -c ${secret} 192.0.2.1`,
    `smbclient -U bob%${secret} //s/share`,
    `xfreerdp /u:bob /p:${secret}`,
    `htpasswd -bB users bob ${secret}`,
    `echo ${secret} | sudo -S id`,
    `echo "root:${secret}" | chpasswd`,
    `CREATE USER app IDENTIFIED BY '${secret}'`,
    `ALTER ROLE app WITH PASSWORD '${secret}'`,
    `//registry.npmjs.org/:_authToken=${secret}`,
  ])('hides what stands in %s', (text) => {
    expect(redacted(text)).not.toContain(secret);
    expect(redacted(text)).toHaveLength(text.length);
  });

  it.each([
    ['aws-access-key-id', 'AKIAIOSFODNN7EXAMPLE'],
    ['aws-secret-access-key', `AWS Secret Access Key [None]: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY`],
    ['github-token', `ghp_${letters.slice(0, 36)}`],
    ['github-token', `github_pat_${letters.slice(0, 22)}_${letters.slice(0, 59)}`],
    ['gitlab-token', `glpat-${letters.slice(0, 20)}`],
    ['slack-token', `xoxb-123456789012-${letters.slice(0, 24)}`],
    ['stripe-key', `sk_live_${letters.slice(0, 24)}`],
    ['sk-key', `sk-proj-${letters.slice(0, 48)}`],
    ['sk-key', `sk-${letters.slice(0, 48)}`],
    ['json-web-token', `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.${letters.slice(0, 43)}`],
    ['google-key', `AIza${letters.slice(0, 35)}`],
    ['azure-key', `AccountName=x;AccountKey=${letters}${letters.slice(0, 24)}==;EndpointSuffix=y`],
    ['npm-token', `npm_${letters.slice(0, 36)}`],
    ['pypi-token', `pypi-AgEIcHlwaS5vcmc${letters}`],
    ['age-secret-key', `AGE-SECRET-KEY-1${'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L'.repeat(2).slice(0, 58)}`],
    ['vault-token', `hvs.${letters.slice(0, 24)}`],
    ['sendgrid-key', `SG.${letters.slice(0, 22)}.${letters.slice(0, 43)}`],
    ['password-hash', `root:$6$saltsalt$${letters.slice(0, 60)}:19000:0:99999:7:::`],
  ])('knows %s by its shape', (rule, text) => {
    const result = redactText(`before ${text} after`, rules);

    expect(result.found).toEqual({ [rule]: 1 });
    expect(result.text).toMatch(/^before .*\*{8,}.* after$/);
  });

  it.each([
    'KEYBOARD=us',
    'PWD=/home/bob OLDPWD=/tmp',
    'PATH=/usr/local/bin:/usr/bin',
    'cat /etc/passwd',
    'app --password=$DB_PASSWORD --token "${TOKEN}" --secret $(cat x)',
    'docker run -p 8080:80 mysql:8',
    'ssh -p 2222 web-1',
    'mkdir -p /srv/mysql/data',
    'curl -u $USER https://example.com',
    'root:x:0:0:root:/root:/bin/bash',
    'Password: ',
    'Enter passphrase for key /home/bob/.ssh/id_ed25519: ',
    'SSH_ASKPASS=/usr/bin/ksshaskpass',
    'max_tokens=4096 token_type=bearer',
    'commit 9fceb02d0ae598e95dc970b74767f19372d61af8',
    'https://example.com:8443/path',
    '-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEAabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH\n-----END CERTIFICATE-----',
  ])('leaves %s as it is', (text) => {
    expect(redactText(text, rules)).toEqual({ text, found: {} });
  });

  it('hides private keys over lines, behind line numbers and prompts, and on one line', () => {
    const body = letters + letters.slice(0, 2);
    const key = [
      '-----BEGIN OPENSSH PRIVATE KEY-----',
      body,
      body,
      'abcd==',
      '-----END OPENSSH PRIVATE KEY-----',
    ];
    const texts = [
      key.join('\n'),
      key.join('\r\n'),
      key.map((line, index) => `     ${index + 1}\t${line}`).join('\n'),
      key.map((line) => `id_rsa:${line}`).join('\n'),
      key.map((line) => `> ${line}`).join('\n'),
      `{"private_key":"${key.join('\\n')}\\n"}`,
      [
        '-----BEGIN RSA PRIVATE KEY-----',
        'Proc-Type: 4,ENCRYPTED',
        'DEK-Info: AES-128-CBC,00',
        '',
        body,
        body,
      ].join('\n'),
      ['PuTTY-User-Key-File-3: ssh-ed25519', 'Private-Lines: 1', body].join('\n'),
    ];

    for (const text of texts) expect(redacted(text)).not.toMatch(/[a-z0-9]{10,}[A-Z]{5}|abcd==/);
  });

  it('does not take what follows a cut key for a part of it', () => {
    const text = '-----BEGIN RSA PRIVATE KEY-----\nbob@web-1:~$ ls\ntotal 0';

    expect(redacted(text)).toBe(text);
  });

  it('writes two asterisks for a character of two cells', () => {
    expect(redacted('app --password=漢字pass1')).toBe(`app --password=${'*'.repeat(9)}`);
  });

  it('finds again what it found once, and keeps only digests', () => {
    const memory = createValueMemory(Buffer.alloc(32, 7));

    redactText(`mysql -p${secret}`, rules, memory);
    const again = redactText(`fc -l: ${secret}`, rules, memory);

    expect(again).toEqual({ text: `fc -l: ${'*'.repeat(secret.length)}`, found: { repeated: 1 } });
    expect(redacted(`fc -l: ${secret}`)).toContain(secret);
  });

  it('uses rules of a site beside or instead of its own', () => {
    const own = { id: 'badge', pattern: 'badge-([0-9]{6})', keywords: ['badge-'] };
    const both = compileRules({ defaults: true, rules: [own] });
    const alone = compileRules({ defaults: false, rules: [own] });

    expect(redactText('badge-123456 --password=x', both).text).toBe('badge-****** --password=*');
    expect(redactText('badge-123456 --password=x', alone).text).toBe('badge-****** --password=x');
  });

  it('names the rule that is wrong', () => {
    const bad = { id: 'mine', pattern: '(a+)+$', keywords: ['badge-'] };

    expect(() => compileRules({ defaults: true, rules: [bad] })).toThrow(RedactionError);
    expect(() => compileRules({ defaults: true, rules: [bad] })).toThrow(
      /pattern of the redaction rule mine/,
    );
  });

  it('never makes text of a different width, and finds nothing in what it made', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words)), (parts) => {
        const text = parts.join('');
        const once = redactText(text, rules);

        expect(once.text).toHaveLength(text.length);
        expect(redactText(once.text, rules).text).toBe(once.text);
      }),
    );
  });

  it('takes any text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        redactText(Buffer.from(bytes).toString('latin1'), rules);
      }),
    );
  });
});

const words = [
  'password',
  '=',
  ':',
  ' ',
  '"',
  "'",
  'hunter2',
  '--token',
  '-p',
  'mysql',
  '\n',
  'KEY',
  '_',
  'curl -u',
  '://',
  '@',
  '$X',
  'Bearer ',
  letters,
];

describe('a default rule', () => {
  it('has a name of its own', () => {
    expect(new Set(defaultRules.map(({ id }) => id)).size).toBe(defaultRules.length);
  });

  it.each(defaultRules)('$id costs no more than is allowed to the rules of a site', (rule) => {
    expect(compileRule(rule)).toMatchObject({ ok: true });
  });

  it.each(defaultRules.map((rule) => [rule.id, rule] as const))(
    '%s ends on text made against it',
    (_id, rule) => {
      const set = compileRules({ defaults: false, rules: [rule] });
      const [keyword = ''] = rule.keywords;
      const beginning = rule.after?.[0] ?? '';
      const fills = [
        keyword,
        `${keyword} `,
        `${keyword}-`,
        `${keyword}_a`,
        `${keyword}=`,
        ' ',
        '-',
        'a',
        'A1',
        'eyJa.',
        ':',
        '/',
        'a-',
        'a ',
        '"',
        ' -p',
        ' -u a:',
      ];

      for (const fill of fills) {
        const text = `${beginning} ${keyword}${fill.repeat(65_536 / fill.length)}`;
        expect(redactText(text, set).text.length).toBe(text.length);
      }
    },
  );
});
