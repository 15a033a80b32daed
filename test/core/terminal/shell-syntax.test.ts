import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isIncomplete } from '../../../core/terminal/shell-syntax.ts';

describe('a command that the shell would ask more for', () => {
  it.each([
    'echo "open',
    "echo 'open",
    'echo `date',
    'echo one \\',
    'ls |',
    'make &&',
    'false ||',
    'for i in 1 2; do',
    'for i in 1 2',
    'while true; do\necho x',
    'if true; then echo yes',
    'case $x in',
    'f() {',
    '(cd /tmp',
    'cat <<EOF',
    'cat <<-"END" | sort\nline',
    'echo $(date',
  ])('is incomplete: %j', (command) => {
    expect(isIncomplete(command)).toBe(true);
  });
});

describe('a command that runs as it is', () => {
  it.each([
    'ls -la',
    'echo done for if',
    'echo "a" \'b\' `c`',
    'for i in 1 2; do echo $i; done',
    'while true\ndo\nbreak\ndone',
    'if true; then echo; else echo; fi',
    'case $x in a) echo 1;; *) echo 2;; esac',
    'f() { echo; }',
    'cat <<EOF\nbody "\nEOF',
    'cat <<-EOF\n\tbody\n\tEOF',
    "cat <<< 'text'",
    "echo it\\'s",
    'echo # "comment',
    'make && make install',
    'ls |\nwc',
    'node',
    '',
  ])('is complete: %j', (command) => {
    expect(isIncomplete(command)).toBe(false);
  });
});

it('any text is judged without a fault', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void isIncomplete(text)));
});
