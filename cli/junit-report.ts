import type { PolicyTestResult } from '#core/policy';

/** One test suite in the form that build servers read. */
export function junitReport(suite: string, results: readonly PolicyTestResult[]): string {
  const failures = results.filter(({ misses }) => misses.length > 0).length;
  const cases = results.map(({ name, line, misses }) => {
    const attributes = `classname="${escaped(suite)}" name="${escaped(name)}" line="${line}"`;
    return misses.length === 0
      ? `  <testcase ${attributes}/>`
      : `  <testcase ${attributes}>\n    <failure message="${escaped(misses.join('; '))}"/>\n  </testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="${escaped(suite)}" tests="${results.length}" failures="${failures}">`,
    ...cases,
    '</testsuite>',
  ].join('\n');
}

/** XML has no way to write most control characters at all. */
function escaped(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cs}\ufffe\uffff]/gu, ' ')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
