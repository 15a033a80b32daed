import { createHash } from 'node:crypto';

/** Bytes that are the same in every run. */
export function pseudoRandom(seed: string): (below: number) => number {
  let counter = 0;
  return (below) => {
    counter += 1;
    return createHash('sha256').update(`${seed} ${counter}`).digest().readUInt32BE(0) % below;
  };
}

const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const esc = '\u001b';

export type PlantedSecret = {
  readonly kind: string;
  readonly way: string;
  /** What must not be shown, in parts where it is long: a line of a key each. */
  readonly hidden: readonly string[];
  /** One event of output each. */
  readonly events: readonly Buffer[];
};

type Line = { readonly before: string; readonly secret: string; readonly after: string };
type Random = (below: number) => number;

function word(random: Random, length: number, from = alphanumeric): string {
  return Array.from({ length }, () => from[random(from.length)] ?? '').join('');
}

/** A password as people or generators make them: at least a letter, a digit and a sign. */
function password(random: Random): string {
  return `${word(random, 3 + random(6))}${'!.-_+%^~'[random(8)] ?? ''}${word(random, 3 + random(9))}${random(10)}`;
}

const base64Url = `${alphanumeric}-_`;
const kinds: Readonly<Record<string, (random: Random) => Line>> = {
  awsId: (random) => ({
    before: 'aws_access_key_id = ',
    secret: `AKIA${word(random, 16, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')}`,
    after: '',
  }),
  awsSecret: (random) => ({
    before: 'aws_secret_access_key = ',
    secret: word(random, 40, `${alphanumeric}/+`),
    after: '',
  }),
  awsEnvironment: (random) => ({
    before: 'export AWS_SECRET_ACCESS_KEY=',
    secret: word(random, 40, `${alphanumeric}/+`),
    after: '',
  }),
  github: (random) => ({ before: 'gh auth status: ', secret: `ghp_${word(random, 36)}`, after: ' valid' }),
  githubFine: (random) => ({
    before: 'using ',
    secret: `github_pat_${word(random, 22)}_${word(random, 59)}`,
    after: '',
  }),
  gitlab: (random) => ({
    before: 'git remote set-url origin https://oauth2:',
    secret: `glpat-${word(random, 20, base64Url)}`,
    after: '@gitlab.example.com/x.git',
  }),
  slack: (random) => ({
    before: 'slack says ',
    secret: `xoxb-${word(random, 12, '0123456789')}-${word(random, 24)}`,
    after: ' ok',
  }),
  stripe: (random) => ({ before: 'stripe listen ', secret: `sk_live_${word(random, 24)}`, after: '' }),
  openAi: (random) => ({
    before: 'client uses ',
    secret: `sk-proj-${word(random, 48, base64Url)}`,
    after: '',
  }),
  jwt: (random) => ({
    before: 'got ',
    secret: `eyJ${word(random, 17, base64Url)}.eyJ${word(random, 60, base64Url)}.${word(random, 43, base64Url)}`,
    after: ' back',
  }),
  google: (random) => ({ before: 'maps ', secret: `AIza${word(random, 35, base64Url)}`, after: '' }),
  azure: (random) => ({
    before: 'DefaultEndpointsProtocol=https;AccountName=x;AccountKey=',
    secret: `${word(random, 86, `${alphanumeric}+/`)}==`,
    after: ';EndpointSuffix=core.example.com',
  }),
  npm: (random) => ({
    before: '//registry.example.com/:_authToken=',
    secret: `npm_${word(random, 36)}`,
    after: '',
  }),
  pypi: (random) => ({
    before: 'twine upload with ',
    secret: `pypi-AgEIcHlwaS5vcmc${word(random, 100, base64Url)}`,
    after: '',
  }),
  age: (random) => ({
    before: '',
    secret: `AGE-SECRET-KEY-1${word(random, 58, 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L')}`,
    after: '',
  }),
  mysql: (random) => ({
    before: 'mysql -h db.example.com -u app -p',
    secret: password(random),
    after: ' shop',
  }),
  mysqldump: (random) => ({
    before: "mysqldump --single-transaction -p'",
    secret: password(random),
    after: "' shop > shop.sql",
  }),
  sshpass: (random) => ({ before: 'sshpass -p ', secret: password(random), after: ' ssh bob@web-1' }),
  passwordFlag: (random) => ({
    before: 'loader --user bob --password=',
    secret: password(random),
    after: ' --fast',
  }),
  passwordFlagApart: (random) => ({
    before: 'loader --db-password ',
    secret: password(random),
    after: ' --fast',
  }),
  tokenFlag: (random) => ({ before: 'deploy --token ', secret: password(random), after: ' prod' }),
  curlUser: (random) => ({
    before: 'curl -s -u bob:',
    secret: password(random),
    after: ' https://example.com/x',
  }),
  curlBearer: (random) => ({
    before: "curl -H 'Authorization: Bearer ",
    secret: word(random, 32, base64Url),
    after: "' https://example.com/x",
  }),
  wget: (random) => ({
    before: 'wget --http-user=bob --http-password=',
    secret: password(random),
    after: ' https://example.com/x',
  }),
  pgPassword: (random) => ({
    before: 'PGPASSWORD=',
    secret: password(random),
    after: ' psql -h db.example.com',
  }),
  environment: (random) => ({ before: 'SESSION_SECRET=', secret: password(random), after: '' }),
  environmentKey: (random) => ({ before: 'export SIGNING_KEY="', secret: word(random, 32), after: '"' }),
  printenv: (random) => ({ before: 'DATABASE_PASSWORD=', secret: password(random), after: '' }),
  url: (random) => ({
    before: 'DATABASE_URL=postgres://app:',
    secret: password(random).replace('%', '.'),
    after: '@db.example.com:5432/shop',
  }),
  redisUrl: (random) => ({
    before: 'redis-cli -u redis://:',
    secret: password(random).replace('%', '.'),
    after: '@cache.example.com',
  }),
  authorization: (random) => ({
    before: '> Authorization: Basic ',
    secret: `${word(random, 22)}==`,
    after: '',
  }),
  cookie: (random) => ({
    before: '< Set-Cookie: session=',
    secret: word(random, 40),
    after: '; Path=/; HttpOnly',
  }),
  netrc: (random) => ({
    before: 'machine example.com login bob password ',
    secret: password(random),
    after: '',
  }),
  pgpass: (random) => ({ before: 'db.example.com:5432:shop:app:', secret: password(random), after: '' }),
  connection: (random) => ({
    before: 'Server=db.example.com;Database=shop;User Id=app;Password=',
    secret: password(random),
    after: ';Encrypt=true',
  }),
  json: (random) => ({ before: '  "password": "', secret: password(random), after: '",' }),
  yaml: (random) => ({ before: '  password: ', secret: password(random), after: '' }),
  apiKeyHeader: (random) => ({
    before: 'curl -H "X-Api-Key: ',
    secret: word(random, 32),
    after: '" https://example.com',
  }),
  sudoPipe: (random) => ({
    before: 'echo ',
    secret: password(random),
    after: ' | sudo -S systemctl restart x',
  }),
};

const prompt = `${esc}]0;bob@web-1: ~\u0007${esc}[01;32mbob@web-1${esc}[00m:${esc}[01;34m~${esc}[00m$ `;

/** How the line gets to the screen. Columns: 80. */
const ways: Readonly<Record<string, (line: Line, random: Random) => readonly string[]>> = {
  printed: ({ before, secret, after }) => ['one\r\ntwo\r\n', `${before}${secret}${after}\r\n`],
  pasted: ({ before, secret, after }) => [
    prompt,
    `${esc}[7m${before}${secret}${after}${esc}[27m`,
    `\r${prompt}${before}${secret}${after}\r\n`,
  ],
  typed: ({ before, secret, after }) => [prompt, ...wrapped(prompt, `${before}${secret}${after}`), '\r\n'],
  corrected: ({ before, secret, after }) => [
    prompt,
    ...Array.from(before + secret.slice(0, 5)),
    'x',
    '\b \b',
    ...Array.from(secret.slice(5) + after),
    '\r\n',
  ],
  coloured: ({ before, secret, after }, random) => [
    `${before}${Array.from(secret)
      .map((letter) => (random(3) === 0 ? `${esc}[3${random(8)}m${letter}` : letter))
      .join('')}${esc}[0m${after}\r\n`,
  ],
  highlighted: ({ before, secret, after }) => [
    prompt,
    ...Array.from(`${before}${secret}${after}`).map((letter) => `${esc}[39m${letter}`),
    '\r\n',
  ],
  split: ({ before, secret, after }, random) => {
    const text = `log line\r\n${before}${secret}${after}\r\nmore\r\n`;
    const cut = 12 + before.length + random(secret.length);
    return [text.slice(0, cut), text.slice(cut)];
  },
};

/** What readline writes at the last column: the character, a blank in the next row, and a return. */
function wrapped(drawnBefore: string, text: string): readonly string[] {
  const strip = new RegExp(`${esc}\\[[0-9;]*m|${esc}\\][^\\u0007]*\\u0007`, 'g');
  let column = drawnBefore.replace(strip, '').length;
  return Array.from(text).map((letter) => {
    column += 1;
    return column % 80 === 0 ? `${letter} \r` : letter;
  });
}

export function plantedSecrets(count: number, seed: string): readonly PlantedSecret[] {
  const random = pseudoRandom(seed);
  const names = Object.keys(kinds);
  const manners = Object.keys(ways);
  return Array.from({ length: count }, (_, index) => {
    if (index % 20 === 19) return plantedKey(random);
    const kind = names[index % names.length] ?? '';
    const way = manners[(index + Math.floor(index / names.length)) % manners.length] ?? '';
    const line = kinds[kind]?.(random) ?? { before: '', secret: '', after: '' };
    const events = ways[way]?.(line, random) ?? [];
    return { kind, way, hidden: [line.secret], events: events.map((text) => Buffer.from(text)) };
  });
}

function plantedKey(random: Random): PlantedSecret {
  const name = ['RSA ', 'EC ', 'OPENSSH ', '', 'ENCRYPTED '][random(5)] ?? '';
  const body = Array.from({ length: 3 + random(20) }, () => word(random, 64, `${alphanumeric}+/`));
  body.push(`${word(random, 10 + random(40), `${alphanumeric}+/`)}==`);
  const text = [`-----BEGIN ${name}PRIVATE KEY-----`, ...body, `-----END ${name}PRIVATE KEY-----`].join(
    '\r\n',
  );
  const events: Buffer[] = [];
  const bytes = Buffer.from(`$ cat key\r\n${text}\r\n$ `);
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random(200);
    events.push(bytes.subarray(at, at + size));
    at += size;
  }
  return { kind: 'privateKey', way: 'split', hidden: body, events };
}
