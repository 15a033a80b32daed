import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRunbook } from '../../../core/runbook/index.ts';
import { sampleYaml } from './sample-runbook.ts';

function problems(yaml: string, file = 'SSH-900-sample.yaml') {
  const parsed = parseRunbook(yaml, file);
  return parsed.ok ? [] : parsed.problems;
}

function changed(from: string, to: string): string {
  if (!sampleYaml.includes(from)) throw new Error(`the sample has no ${from}`);
  return sampleYaml.replace(from, to);
}

describe('reading a runbook', () => {
  it('gives times in milliseconds and conditions ready to be met', () => {
    const parsed = parseRunbook(sampleYaml, 'runbooks/SSH-900-sample.yaml');

    expect(parsed).toMatchObject({
      ok: true,
      runbook: {
        id: 'SSH-900',
        trigger: { events: ['StartSession'], lookbackMs: 1_800_000, schedule: { everyMs: 300_000 } },
        finding: { threshold: 1, suppressMs: 86_400_000 },
        steps: [
          { action: 'evidence.snapshot', mode: 'auto' },
          { when: { kind: 'column', column: 'still_open' }, limit: { perRun: 2, onExceed: 'approve' } },
          {},
        ],
      },
    });
  });

  it.each([
    ['id: SSH-900', 'id: SSH-9', 'three digits'],
    ['id: SSH-900', 'id: SSH-901', "file's name"],
    ['title: A sample', 'titel: A sample', 'titel'],
    ['owner: team:security', 'owner: alice', 'never a person'],
    ['event: StartSession', 'event: StartSesion', 'StartSesion|Invalid'],
    ['rate(5 minutes)', 'rate(5 seconds)', 'rate\\(5 minutes\\)'],
    ['  event: StartSession\n  schedule: rate(5 minutes)\n', '', 'event or a schedule'],
    ['  event: StartSession\n', '  delay: 3s\n', 'delay'],
    ['lookback: 30m', 'lookback: 30', 'duration|string'],
    ['default: 2s', 'default: soon', 'a duration like'],
    ['s.session_id, s.user_name', 's.session_id::varchar, s.user_name', 'CAST'],
    ['each: session_id', 'each: event_id', "finding's columns"],
    ['suppress: 24h', 'suppress: 10m', 'lookback'],
    ['${user_name} did it', '${user} did it', "finding's columns"],
    ['do: notify', 'do: grant.revoke', 'not available in this version'],
    ['do: notify', 'do: principal.lock', 'never automatic'],
    ['do: notify', 'do: key.revoke', 'needs key_fingerprint among'],
    ['do: notify', 'do: source.block', 'needs for: 30m'],
    ['do: notify', 'do: source.block\n    for: 25h', 'at most 24h'],
    ['do: notify', 'do: source.block\n    for: 1h', 'needs a message'],
    ['do: notify', 'do: notify\n    for: 1h', 'is no lock'],
    ['do: notify', 'do: log.delete', 'never done by a runbook'],
    ['do: notify', 'do: panic', 'not an action'],
    ['when: still_open', 'when: still_open ==', 'not a condition'],
    ['when: still_open', 'when: is_open', "finding's columns"],
    ['    verify: session.isOpen\n', '', 'needs verify'],
    ['perRun: 2, ', '', 'needs limit'],
    ['mode: auto', 'mode: always', 'mode|Invalid'],
    ['    message: "ended, ${user_name}; connect again"\n', '', 'needs a message'],
    ['  - do: evidence.snapshot\n', '', 'evidence comes before containment'],
    [
      '{ else: true, to: "team:security", as: P3 }',
      '{ when: still_open, to: "team:security", as: P3 }',
      'else: true',
    ],
    ['{ when: "user_name = \'root\'", to', '{ to', 'either when'],
    ['expect: { findings: 0 }', 'expect: { findings: 1 }', 'finds nothing'],
    ['StartSession: { session: s1, principal: alice }', 'StartSesion: { session: s1 }', 'one event name'],
    ['StartSession: { session: s1, principal: alice }', 'StartSession: { sesion: s1 }', 'not a field'],
    ['findings: [{ session_id: s1 }]', 'findings: [{ sesion: s1 }]', "finding's columns"],
    ['at: -20m', 'at: 20m', '-20m'],
    [
      'why: Something that must not happen has happened, and people must know why it matters.',
      'why: because',
      '40|small|short',
    ],
  ])('says what is wrong when %j becomes %j', (from, to, hint) => {
    expect(
      problems(changed(from, to))
        .map(({ message, path }) => `${path}: ${message}`)
        .join('\n'),
    ).toMatch(new RegExp(hint));
  });

  it('asks for approvers where approval is asked for', () => {
    const yaml = changed('mode: auto', 'mode: approve').replace(
      '    approvers: { group: "team:oncall", expires: 2h }\n',
      '',
    );

    expect(problems(yaml)).toMatchObject([
      { path: 'respond.1', message: expect.stringContaining('approvers') },
    ]);
  });

  it('reports everything at once, each with its line', () => {
    const yaml = sampleYaml
      .replace('severity: high', 'severity: loud')
      .replace('owner: team:security', 'owner: bob')
      .replace('do: notify', 'do: grant.revoke');

    expect(problems(yaml).map(({ line, path }) => `${line} ${path}`)).toEqual([
      '5 severity',
      '6 owner',
      `${lineOf(yaml, 'grant.revoke')} respond.2.do`,
    ]);
  });

  it('gives the line inside the SQL', () => {
    const yaml = changed('AND s.user_name <> ${inputs.name}', "AND s.user_name ILIKE 'x'");

    expect(problems(yaml)).toMatchObject([{ line: lineOf(yaml, 'ILIKE'), path: 'query.sql' }]);
  });

  it.each([
    ['no YAML', 'a: [1'],
    ['a key twice', changed('title: A sample', 'title: A sample\ntitle: Another')],
    ['a list', '- 1'],
    ['nothing', ''],
    [
      'an alias that unfolds without end',
      'a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c]',
    ],
    ['too much', 'x'.repeat(300_000)],
  ])('refuses %s', (_, yaml) => {
    expect(problems(yaml).length).toBeGreaterThan(0);
  });

  it('answers any text with a runbook or with problems', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z:\-\n &*[\]{}'"|>!]*$/)), (text) => {
        expect(problems(text).every(({ line }) => line >= 1)).toBe(true);
      }),
    );
  });

  it('answers any damage to a sound file', () => {
    fc.assert(
      fc.property(
        fc.nat(sampleYaml.length),
        fc.nat(40),
        fc.string({ maxLength: 10 }),
        (at, length, insert) => {
          const yaml = sampleYaml.slice(0, at) + insert + sampleYaml.slice(at + length);
          const parsed = parseRunbook(yaml, 'SSH-900-sample.yaml');

          expect(parsed.ok || parsed.problems.length > 0).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});

function lineOf(yaml: string, text: string): number {
  return yaml.slice(0, yaml.indexOf(text)).split('\n').length;
}
