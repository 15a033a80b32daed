import type { Script } from './script.ts';

/** Prompts that differ from those of the vectors, with what makes some of them hard. */
export const prompts: Readonly<Record<Script['shell'], readonly string[]>> = {
  bash: [
    '[\\u@db-3 \\W]\\$ ',
    '\\[\\e[1;32m\\]ops\\[\\e[0m\\]:\\[\\e[34m\\]\\w\\[\\e[0m\\]\\n\\[\\e[36m\\]❯\\[\\e[0m\\] ',
    '> ',
    '(\\!) \\t \\h:\\W\\\\$ ',
    '-> ',
    '┌─[\\u@\\h]─[\\w]\\n└─╼ \\$ ',
  ],
  zsh: ['%n@edge %1~ %# ', '%F{cyan}%~%f\n%(?.%F{green}.%F{red})❯%f ', '%* %h > ', '%m%% '],
  fish: ['', 'echo -n (prompt_pwd)" ❯ "', 'echo "top line"; echo -n "fish> "', 'echo -n "λ "'],
  dash: ['$ ', 'dash-box# ', '> '],
  ash: ['/ # ', 'router:\\w# ', '~ $ '],
};

export const rightPrompts: Readonly<Partial<Record<Script['shell'], readonly string[]>>> = {
  zsh: ['', '%*', '', '[%h]'],
};
