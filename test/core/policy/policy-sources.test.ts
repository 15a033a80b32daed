import { expect, test } from 'vitest';
import { loadPolicy, policySources } from '#core/policy';

function loaded(sources: Parameters<typeof loadPolicy>[0]) {
  const answer = loadPolicy(sources);
  if (!answer.ok) throw new Error(JSON.stringify(answer.problems));
  return answer.policy;
}

test('the texts of a set make the same set again, whatever stood around them', () => {
  const set = loaded([
    {
      file: 'one.cedar',
      text: `// permit (principal, action, resource);
@id("a") permit (principal, action, resource);@id("b") @advice("ask // é") forbid (principal, action, resource) // why
when { context.login == "root; // x" };
// the end`,
    },
    {
      file: 'two.cedar',
      text: '\n\n@id("c") @idle_timeout("15m")\npermit (principal, action, resource) when { context.mfa };\n\n',
    },
  ]);

  const sources = policySources(set);
  const again = loaded(sources);

  expect(sources.map(({ file }) => file)).toEqual(['one.cedar', 'two.cedar']);
  expect(again.version).toBe(set.version);
  expect(again.policies.map(({ id, file, text, rules }) => [id, file, text, rules])).toEqual(
    set.policies.map(({ id, file, text, rules }) => [id, file, text, rules]),
  );
});

test('a file that is as long as it may be is not longer then', () => {
  const each = (id: number) => `@id("p${id}")permit(principal,action,resource);`;
  const text = Array.from({ length: 100 }, (_, id) => each(id)).join('');

  expect(policySources(loaded([{ file: 'x', text }]))).toEqual([{ file: 'x', text }]);
});
