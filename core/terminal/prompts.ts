/** Prompts that were typed behind, so that they are known again where the place of the cursor does not tell. */
export type PromptMemory = {
  remember(prompt: string): void;
  /** The known prompt that a row begins with, the longest if several; numbers in it (time, history) may differ. */
  leading(row: string): string | undefined;
  rememberRight(rightPrompt: string): void;
  /** The row without a known right prompt at the end of it. */
  withoutRight(row: string): string;
};

const maxPrompts = 32;
const maxPromptLength = 512;

const maxRights = 4;

export function createPromptMemory(): PromptMemory {
  const known = new Map<string, RegExp>();
  let rights: string[] = [];
  return {
    rememberRight(rightPrompt) {
      const right = rightPrompt.trim();
      if (right === '') return;
      const known = rights.filter((other) => generalised(other) !== generalised(right));
      rights = [...known, right].slice(-maxRights);
    },
    withoutRight: (row) => rights.reduce((cut, right) => withoutRight(cut, right), row),
    remember(prompt) {
      if (prompt.trim() === '' || prompt.length > maxPromptLength) return;
      const key = generalised(prompt);
      const pattern = known.get(key) ?? leadingPattern(key);
      known.delete(key);
      known.set(key, pattern);
      for (const oldest of known.keys()) {
        if (known.size <= maxPrompts) break;
        known.delete(oldest);
      }
    },
    leading(row) {
      let longest: string | undefined;
      for (const pattern of known.values()) {
        const found = pattern.exec(row)?.[0];
        if (found !== undefined && found.length > (longest?.length ?? -1)) longest = found;
      }
      return longest;
    },
  };
}

/** Runs of digits count as equal: clocks, history numbers, job counts. */
export function generalised(text: string): string {
  return text.replace(/\d+/g, '0');
}

/** A row without its right prompt, the time in which may have gone on. */
export function withoutRight(row: string, rightPrompt: string): string {
  const right = rightPrompt.trim();
  const shown = row.trimEnd();
  const cut = Math.max(0, shown.length - right.length);
  const same = right !== '' && generalised(shown.slice(cut)) === generalised(right);
  return same && (cut === 0 || shown[cut - 1] === ' ') ? shown.slice(0, cut) : row;
}

/** What rows begin with that begin with a prompt, given generalised. */
export function leadingPattern(prompt: string): RegExp {
  return new RegExp(
    `^${prompt
      .split('0')
      .map((part) => RegExp.escape(part))
      .join('\\d+')}`,
  );
}

/** What most prompts end with. */
export function looksLikePrompt(text: string): boolean {
  return /[$#%>❯➜»λ](?: |$)\s*$/.test(text);
}

/** The prompt of a row about which nothing is known. */
export function guessedPrompt(row: string): string | undefined {
  return /^.{0,200}?(?:[$#%❯➜»λ]|>{1,3}) (?=\S|$)/.exec(row)?.[0];
}

/** The prompts that shells and interpreters ask for the rest of a command with. `> ` is not among them: it begins commands too. */
export function isContinuationPrompt(prompt: string): boolean {
  return (
    /^\s*(?:\.{3}>?|-+>|['"`*(]>|dquote>|bquote>) $/.test(prompt) ||
    /^(?:(?:quote|dquote|bquote|heredoc|heredocd|pipe|cmdsubst|mathsubst|subsh|cursh|for|while|until|repeat|select|if|then|elif|else|case|function|foreach|always|array|braceparam|errmath|math|cond|nocorrect|cmdand|cmdor|try|do) ?)+> $/.test(
      prompt,
    ) ||
    /^\w+[-'"(*]# $|^\w*[-'"(][>#] $/.test(prompt)
  );
}

/** readline's `> `, which is also what some interpreters begin commands with. */
export function isPlainContinuation(prompt: string): boolean {
  return /^\s*> $/.test(prompt);
}
