import type { RedactionRule } from './rule.ts';

/** Secrets that are known by their own shape, as their issuers document it. */
export const tokenRules: readonly RedactionRule[] = [
  {
    id: 'aws-access-key-id',
    pattern: '\\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])',
    keywords: ['akia', 'asia', 'abia', 'acca'],
  },
  {
    id: 'aws-secret-access-key',
    pattern:
      '(?i)secret[ _-]?(?:access)?[ _-]?key[^A-Za-z0-9/+]{1,24}(?:\\[[^\\]]{0,32}\\][: ]{1,4})?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])',
    keywords: ['secret'],
  },
  {
    id: 'aws-session-token',
    pattern: '(?i)(?:session|security)[_-]?token["\']?\\s{0,4}[=:]\\s{0,4}["\']?([A-Za-z0-9/+=]{60,2048})',
    keywords: ['token'],
  },
  {
    id: 'github-token',
    pattern: '\\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})',
    keywords: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
  },
  {
    id: 'gitlab-token',
    pattern:
      '\\b(?:gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas|ffct)-[A-Za-z0-9_.-]{20,255}|GR1348941[A-Za-z0-9_-]{20,64})',
    keywords: [
      'glpat-',
      'gldt-',
      'glrt-',
      'glcbt-',
      'glptt-',
      'glft-',
      'glimt-',
      'glagent-',
      'glsoat-',
      'gloas-',
      'glffct-',
      'gr1348941',
    ],
  },
  {
    id: 'slack-token',
    pattern: '\\b(?:xox[abceoprs](?:\\.xox[abp])?-[A-Za-z0-9-]{10,255}|xapp-\\d-[A-Za-z0-9-]{10,255})',
    keywords: ['xox', 'xapp-'],
  },
  {
    id: 'webhook-url',
    pattern:
      '(?:hooks\\.slack\\.com/(?:services|workflows|triggers)|discord(?:app)?\\.com/api/webhooks|webhook\\.office\\.com)/([A-Za-z0-9/_@-]{20,255})',
    keywords: ['hooks.slack.com', '/api/webhooks/', 'webhook.office.com'],
  },
  {
    id: 'stripe-key',
    pattern: '\\b(?:[prs]k_(?:live|test)_|whsec_)[A-Za-z0-9]{10,255}',
    keywords: ['k_live_', 'k_test_', 'whsec_'],
  },
  {
    id: 'sk-key',
    pattern: '\\bsk-(?:(?:proj|svcacct|admin|ant|or|lf|live|test)-[A-Za-z0-9_-]{16,255}|[A-Za-z0-9]{32,255})',
    keywords: ['sk-'],
  },
  {
    id: 'json-web-token',
    pattern:
      '\\beyJ[A-Za-z0-9_-]{8,2048}\\.(?:eyJ[A-Za-z0-9_-]{4,4096}\\.[A-Za-z0-9_-]{4,1024}|[A-Za-z0-9_-]{0,1024}\\.[A-Za-z0-9_-]{8,64}\\.[A-Za-z0-9_-]{4,4096}\\.[A-Za-z0-9_-]{16,64})',
    keywords: ['eyj'],
  },
  {
    id: 'google-key',
    pattern:
      '\\b(?:AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}|ya29\\.[A-Za-z0-9_-]{20,1024}|1//0[A-Za-z0-9_-]{40,255})',
    keywords: ['aiza', 'gocspx-', 'ya29.', '1//0'],
  },
  {
    id: 'azure-key',
    pattern: '(?i)(?:account|sharedaccess|accesskey|sharedsecret)(?:key)?=([A-Za-z0-9+/]{20,128}={0,2})',
    keywords: ['accountkey=', 'sharedaccesskey=', 'accesskey=', 'sharedsecret='],
  },
  {
    id: 'azure-client-secret',
    pattern: '(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}\\dQ~[A-Za-z0-9_~.-]{31,34}',
    keywords: ['0q~', '1q~', '2q~', '3q~', '4q~', '5q~', '6q~', '7q~', '8q~', '9q~'],
  },
  {
    id: 'npm-token',
    pattern: '(?:\\b(npm_[A-Za-z0-9]{36,64})|_auth(?:Token)?\\s?=\\s?["\']?([^\\s"\']{8,512}))',
    keywords: ['npm_', '_auth'],
  },
  { id: 'pypi-token', pattern: '\\bpypi-[A-Za-z0-9_-]{40,1024}', keywords: ['pypi-'] },
  {
    id: 'age-secret-key',
    pattern: '(?i)\\bAGE-(?:SECRET-KEY|PLUGIN-[A-Z0-9]{1,32})-1[0-9A-Z]{40,255}',
    keywords: ['age-secret-key', 'age-plugin-'],
  },
  {
    id: 'vault-token',
    pattern: '\\b(?:hv[sbr]\\.[A-Za-z0-9_-]{20,512}|atlasv1\\.[A-Za-z0-9_.-]{40,255})',
    keywords: ['hvs.', 'hvb.', 'hvr.', 'atlasv1.'],
  },
  { id: 'hugging-face-token', pattern: '\\bhf_[A-Za-z0-9]{30,64}', keywords: ['hf_'] },
  { id: 'docker-token', pattern: '\\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,64}', keywords: ['dckr_'] },
  {
    id: 'digitalocean-token',
    pattern: '\\bdo[opr]_v1_[a-f0-9]{64}',
    keywords: ['doo_v1_', 'dop_v1_', 'dor_v1_'],
  },
  { id: 'sendgrid-key', pattern: '\\bSG\\.[A-Za-z0-9_-]{16,32}\\.[A-Za-z0-9_-]{32,64}', keywords: ['sg.'] },
  {
    id: 'shopify-token',
    pattern: '\\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}',
    keywords: ['shpat_', 'shpca_', 'shppa_', 'shpss_'],
  },
  { id: 'grafana-token', pattern: '\\bgl(?:sa|c)_[A-Za-z0-9+/=_]{32,255}', keywords: ['glsa_', 'glc_'] },
  { id: 'databricks-token', pattern: '\\bdapi[a-f0-9]{32}', keywords: ['dapi'] },
  {
    id: 'linear-key',
    pattern: '\\blin_(?:api|oauth)_[A-Za-z0-9]{32,64}',
    keywords: ['lin_api_', 'lin_oauth_'],
  },
  { id: 'rubygems-key', pattern: '\\brubygems_[a-f0-9]{48}', keywords: ['rubygems_'] },
  { id: 'telegram-token', pattern: '(?<!\\d)\\d{8,10}:AA[A-Za-z0-9_-]{33}', keywords: [':aa'] },
  { id: 'mailgun-key', pattern: '\\bkey-[a-f0-9]{32}(?![a-f0-9])', keywords: ['key-'] },
  { id: 'postman-key', pattern: '\\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}', keywords: ['pmak-'] },
  { id: 'new-relic-key', pattern: '\\bNRAK-[A-Z0-9]{27}', keywords: ['nrak-'] },
  {
    id: 'password-hash',
    pattern: '\\$(?:1|2[abxy]|5|6|7|y|gy|argon2(?:id|i|d))\\$[A-Za-z0-9./$,=+-]{20,255}',
    keywords: ['$1$', '$2a$', '$2b$', '$2x$', '$2y$', '$5$', '$6$', '$7$', '$y$', '$gy$', '$argon2'],
  },
];
