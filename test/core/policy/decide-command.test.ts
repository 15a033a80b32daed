import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandAction, decide, decideCommand, judgesCommands, type PolicySet } from '#core/policy';
import { commandParts, isPrivileged, programOf } from '../../../core/policy/command-parts.ts';
import { policyOf, request } from './requests.ts';

const permitAll = '@id("all") permit (principal, action, resource);';
const noReboot = `@id("no-reboot") forbid (principal, action == Action::"command", resource)
  when { context has program && context.program == "reboot" };`;
const ask = (policy: PolicySet | undefined, command: string) =>
  decideCommand(policy, { ...request(), action: commandAction('command', command) });

describe('the parts of a line', () => {
  it.each<[string, readonly string[]]>([
    ['reboot', []],
    ['true; reboot', ['true', 'reboot']],
    ['true && reboot || halt &', ['true', 'reboot', 'halt']],
    ['cat x | sudo tee y', ['cat x', 'sudo tee y', 'tee y']],
    ['sudo -u www -n env A=1 B="2 3" reboot -f', expect.arrayContaining(['reboot -f'])],
    ['sudo -n reboot', expect.arrayContaining(['reboot'])],
    ['A=1 reboot', ['reboot']],
    ['timeout 5s nice -n 5 reboot', expect.arrayContaining(['reboot'])],
    ['for i in 1 2; do reboot; done', expect.arrayContaining(['reboot'])],
    ['if true\nthen reboot\nfi', expect.arrayContaining(['reboot'])],
    ['echo "$(reboot)" `halt`', expect.arrayContaining(['reboot', 'halt'])],
    ['( cd /; reboot )', expect.arrayContaining(['reboot'])],
    ['{ reboot; }', expect.arrayContaining(['reboot'])],
    ['echo "a; reboot" \'b & reboot\' c\\;reboot', []],
    ['echo ${reboot} {a,b}', []],
    ['', []],
  ])('%j', (line, parts) => {
    expect(commandParts(line)).toEqual(parts);
  });

  it('are few, whatever the line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (line) => {
        const parts = commandParts(line);
        expect(parts.length).toBeLessThanOrEqual(64);
        for (const part of parts) expect(line).toContain(part);
      }),
    );
    expect(commandParts('x;'.repeat(100_000)).length).toBeLessThanOrEqual(64);
    expect(commandParts('sudo '.repeat(20_000)).length).toBeLessThanOrEqual(64);
    expect(commandParts(`"${'a\\'.repeat(30_000)}`).length).toBeLessThanOrEqual(64);
  });

  it('say whether somebody asks for the rights of another', () => {
    expect(['sudo ls', 'true; /usr/bin/sudo -i', 'A=1 doas x', 'su -'].map(isPrivileged)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['ls sudo', 'echo "sudo x"', 'visudo', ''].map(isPrivileged)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('begin with a program where there plainly is one', () => {
    expect(['ls -l', ' ./a', '$X y', '"a b"', ''].map(programOf)).toEqual([
      'ls',
      './a',
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('a command', () => {
  it.each([
    ['reboot', false],
    ['true; sudo reboot', false],
    ['echo reboot', true],
    ['man reboot', true],
  ])('%s under a rule against a program: %s', (command, allowed) => {
    const answer = ask(policyOf(permitAll, noReboot), command);

    expect(answer.allowed).toBe(allowed);
    if (!answer.allowed)
      expect(answer).toMatchObject({ reason: 'forbidden-by-policy', policyIds: ['no-reboot'] });
  });

  it('needs a permit as a whole, not for its parts', () => {
    const policy = policyOf(`@id("one") permit (principal, action == Action::"command", resource)
      when { context.command == "df | sort" };`);

    expect(ask(policy, 'df | sort').allowed).toBe(true);
    expect(ask(policy, 'df')).toMatchObject({ reason: 'no-policy-allows' });
  });

  it('may be told by the rights it asks for', () => {
    const policy = policyOf(
      permitAll,
      `@id("no-sudo") forbid (principal, action == Action::"command", resource) when { context.privileged };`,
    );

    expect(ask(policy, 'true; sudo id')).toMatchObject({ allowed: false, policyIds: ['no-sudo'] });
    expect(ask(policy, 'id').allowed).toBe(true);
  });

  it('is not allowed where there are no policies', () => {
    expect(ask(undefined, 'id')).toMatchObject({ allowed: false, reason: 'policy-unavailable' });
  });

  it('is never allowed where the whole of it is not', () => {
    const policy = policyOf(permitAll, noReboot);
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (command) => {
        const whole = { ...request(), action: commandAction('command', command) };
        if (!decide(policy, whole).allowed) expect(decideCommand(policy, whole).allowed).toBe(false);
      }),
    );
  });
});

describe('the lines of a shell are judged', () => {
  it.each<[string, boolean, string[]]>([
    ['not where all is permitted alike', false, [permitAll]],
    [
      'not where nothing is said of commands',
      false,
      ['@id("s") permit (principal, action == Action::"shell", resource);'],
    ],
    [
      'not for a condition that shells have, too',
      false,
      [permitAll, '@id("f") forbid (principal, action, resource) unless { context.mfa };'],
    ],
    [
      'not for a rule about others',
      false,
      [
        permitAll,
        '@id("f") forbid (principal in Group::"guests", action == Action::"command", resource) when { context.program == "x" };'.replace(
          'context.program',
          'context has program && context.program',
        ),
      ],
    ],
    [
      'not for a rule about exec',
      false,
      [
        permitAll,
        '@id("f") forbid (principal, action == Action::"exec", resource) when { context.command like "x*" };',
      ],
    ],
    ['where a rule reads the command', true, [permitAll, noReboot]],
    [
      'where a rule reads the rights',
      true,
      [
        permitAll,
        '@id("f") forbid (principal, action == Action::"command", resource) when { context.privileged };',
      ],
    ],
    [
      'where commands alone are forbidden at times',
      true,
      [
        permitAll,
        '@id("f") forbid (principal, action == Action::"command", resource) when { context.hour < 6 };',
      ],
    ],
    [
      'where commands alone are permitted under a condition',
      true,
      [
        '@id("s") permit (principal, action == Action::"shell", resource);',
        '@id("c") permit (principal, action == Action::"command", resource) when { context.mfa };',
      ],
    ],
  ])('%s: %s', (_, expected, texts) => {
    expect(judgesCommands(policyOf(...texts), request())).toBe(expected);
  });

  it('where there are no policies', () => {
    expect(judgesCommands(undefined, request())).toBe(true);
  });
});
