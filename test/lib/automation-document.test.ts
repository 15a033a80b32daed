import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseActRequest } from '../../lambdas/act/act-request.ts';
import { automationDocument, readRunbooks } from '../../lib/automation-document.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const runbooks = readRunbooks(join(import.meta.dirname, '..', '..', 'runbooks'));
const act = {
  functionArn: 'arn:aws:lambda:eu-central-1:123456789012:function:sshtrail-act',
  assumeRoleArn: 'arn:aws:iam::123456789012:role/sshtrail-automation-eu-central-1',
};

type Document = {
  readonly schemaVersion: string;
  readonly assumeRole: string;
  readonly parameters: Readonly<
    Record<string, { default?: string; allowedValues?: string[]; allowedPattern?: string }>
  >;
  readonly mainSteps: readonly {
    readonly action: string;
    readonly inputs: { readonly FunctionName: string; readonly InputPayload: Record<string, string> };
  }[];
};
const documentOf = (id: string): Document => {
  const runbook = runbooks.find((each) => each.id === id);
  if (runbook === undefined) throw new Error(`there is no ${id}`);
  return automationDocument(runbook, act) as Document;
};

describe('the outline of a runbook', () => {
  it('says which events start it', () => {
    expect(runbooks.map(({ id }) => id)).toEqual(expect.arrayContaining(['SSH-001', 'SSH-002']));
    expect(runbooks.find(({ id }) => id === 'SSH-002')?.events).toEqual(['StartSession']);
  });

  it('is not read from a runbook that is deprecated, or from what is no YAML file', () => {
    const folder = join(temporaryFolder(), 'runbooks');
    mkdirSync(join(folder, 'schema'), { recursive: true });
    writeFileSync(join(folder, 'notes.md'), 'id: [');
    writeFileSync(join(folder, 'old.yaml'), 'id: SSH-090\ntitle: Old\nstatus: deprecated\n');
    writeFileSync(
      join(folder, 'new.yaml'),
      'id: SSH-091\ntitle: New\nstatus: stable\ntrigger: { event: [A, B] }\n',
    );

    expect(readRunbooks(folder)).toEqual([{ id: 'SSH-091', title: 'New', why: '', events: ['A', 'B'] }]);
  });

  it('is not made of a runbook whose id would be another name', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'x.yaml'), 'id: "SSH-001/../x"\ntitle: X\nstatus: stable\n');

    expect(() => readRunbooks(folder)).toThrow(/id/);
  });
});

describe.each(runbooks.map(({ id }) => id))('the Automation document of %s', (id) => {
  it('does nothing for a person who does not ask for it', () => {
    const { schemaVersion, parameters } = documentOf(id);

    expect(schemaVersion).toBe('0.3');
    expect(parameters['DryRun']).toMatchObject({ default: 'true', allowedValues: ['true', 'false'] });
  });

  it('calls act alone, as the one role', () => {
    const { assumeRole, parameters, mainSteps } = documentOf(id);

    expect(assumeRole).toBe('{{ AutomationAssumeRole }}');
    expect(parameters['AutomationAssumeRole']?.default).toBe(act.assumeRoleArn);
    expect(mainSteps.map(({ action, inputs }) => [action, inputs.FunctionName])).toEqual([
      ['aws:invokeLambdaFunction', act.functionArn],
    ]);
  });

  it('sends what act takes, for this runbook only', () => {
    const payload = documentOf(id).mainSteps[0]?.inputs.InputPayload ?? {};
    const values: Readonly<Record<string, string>> = {
      '{{ FindingKey }}': 's-0123456789abcdef0123456789abcdef',
      '{{ DryRun }}': 'true',
      '{{ automation:EXECUTION_ID }}': '11111111-2222-4333-8444-555555555555',
    };
    const sent = Object.fromEntries(
      Object.entries(payload).map(([name, value]) => [name, values[value] ?? value]),
    );

    expect(parseActRequest(sent)).toMatchObject({ runbookId: id, dryRun: true });
  });

  it.each(['a"b', 'a\\b', '{{ AutomationAssumeRole }}', 'a\nb', '', ' a', `a${'b'.repeat(200)}`])(
    'takes no key such as %j, which would be read as something else on its way',
    (key) => {
      const pattern = documentOf(id).parameters['FindingKey']?.allowedPattern ?? '';

      expect(pattern).not.toBe('');
      expect(new RegExp(pattern).test(key)).toBe(false);
    },
  );
});
