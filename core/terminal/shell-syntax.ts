/**
 * Whether a shell would ask for more after these lines: an open quote, bracket, here-document or compound command, or a line
 * that ends in a backslash or an operator. A reading of POSIX sh good enough to tell `> ` the continuation from `> ` the
 * prompt; it does not know aliases.
 */
export function isIncomplete(command: string): boolean {
  const text = command.slice(0, maxLength);
  const open = createReading(text);
  while (open.at < text.length) readNext(open);
  endWord(open);
  return (
    open.quote !== undefined ||
    open.hereDocuments.length > 0 ||
    open.depth > 0 ||
    open.continued ||
    /(?:\|\|?|&&)\s*$/.test(open.lastLine)
  );
}

const maxLength = 256 * 1024;

type Reading = {
  readonly text: string;
  at: number;
  quote: string | undefined;
  depth: number;
  word: string;
  /** Whether the next word is where a command begins, so that `for` is a keyword and not an argument. */
  atCommand: boolean;
  hereDocuments: { readonly end: string; readonly tabs: boolean }[];
  continued: boolean;
  lastLine: string;
};

function createReading(text: string): Reading {
  return {
    text,
    at: 0,
    quote: undefined,
    depth: 0,
    word: '',
    atCommand: true,
    hereDocuments: [],
    continued: false,
    lastLine: '',
  };
}

function readNext(open: Reading): void {
  const character = open.text[open.at] ?? '';
  open.continued = false;
  open.at += 1;
  if (open.quote !== undefined) {
    if (character === '\\' && open.quote !== "'") open.at += 1;
    else if (character === open.quote) open.quote = undefined;
    return;
  }
  if (character !== '\n') open.lastLine += character;
  if (character === '\\') {
    open.continued = open.at >= open.text.length || open.text.slice(open.at) === '\n';
    open.word += open.text[open.at] ?? '';
    open.at += 1;
  } else if (character === '\n') newLine(open);
  else if (character === "'" || character === '"' || character === '`') {
    open.quote = character;
    open.word += character;
  } else if (character === '#' && open.word === '') skipComment(open);
  else if (character === '<' && open.text.startsWith('<', open.at)) hereDocument(open);
  else if (character === '(') {
    endWord(open);
    open.depth += 1;
    open.atCommand = true;
  } else if (character === ')') closeParenthesis(open);
  else if (/[\s;|&]/.test(character)) {
    endWord(open);
    if (/[;|&]/.test(character)) open.atCommand = true;
  } else open.word += character;
}

function newLine(open: Reading): void {
  endWord(open);
  open.atCommand = true;
  if (open.lastLine.trim() !== '' && !/(?:\|\|?|&&)\s*$/.test(open.lastLine)) open.lastLine = '';
  while (open.hereDocuments.length > 0 && open.at < open.text.length) {
    const end = open.text.indexOf('\n', open.at);
    const line = open.text.slice(open.at, end < 0 ? undefined : end);
    open.at = end < 0 ? open.text.length : end + 1;
    const [first] = open.hereDocuments;
    const read = first?.tabs === true ? line.replace(/^\t+/, '') : line;
    if (read.trim() === first?.end) open.hereDocuments.shift();
  }
}

/** A `)` also ends a pattern of `case`, where none was opened. */
function closeParenthesis(open: Reading): void {
  endWord(open);
  if (open.depth > 0 && !insideCasePattern(open)) open.depth -= 1;
  open.atCommand = true;
}

function insideCasePattern(open: Reading): boolean {
  return /\bcase\s+\S+\s+in\b[^()]*\)$/.test(open.text.slice(Math.max(0, open.at - 500), open.at));
}

function skipComment(open: Reading): void {
  const end = open.text.indexOf('\n', open.at);
  open.at = end < 0 ? open.text.length : end;
}

function hereDocument(open: Reading): void {
  const here = /^<(?!<)(-?)\s*(["']?)([^\s"';|&<>()]+)\2/.exec(open.text.slice(open.at, open.at + 300));
  if (here === null) {
    // <<< is one word of input.
    open.at += open.text.startsWith('<<', open.at) ? 2 : 1;
    return;
  }
  if (open.hereDocuments.length < 16) open.hereDocuments.push({ end: here[3] ?? '', tabs: here[1] === '-' });
  open.lastLine += here[0];
  open.at += here[0].length;
}

function endWord(open: Reading): void {
  const { word } = open;
  open.word = '';
  if (word === '' || !open.atCommand) return;
  open.atCommand = false;
  if (['if', 'for', 'while', 'until', 'case', 'select', '{', 'repeat'].includes(word)) open.depth += 1;
  if (['fi', 'done', 'esac', '}'].includes(word)) open.depth = Math.max(0, open.depth - 1);
  if (['if', 'then', 'elif', 'else', 'while', 'until', 'do', '{', '!', 'time', 'in'].includes(word))
    open.atCommand = true;
  if (['for', 'case', 'select'].includes(word)) open.atCommand = false;
}
