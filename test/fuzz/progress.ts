import type { SearchMessage } from './search.ts';

/** Lines of progress come no closer. */
const progressMs = 5000;

/** Sums over the targets, on standard error. */
export class Progress {
  readonly #executions = new Map<string, number>();
  readonly #corpus = new Map<string, number>();
  #reached = 0;
  #printedAt = Date.now();

  note({ target, executions, corpus, reached }: SearchMessage & { readonly kind: 'progress' }): void {
    this.#executions.set(target, executions);
    this.#corpus.set(target, corpus);
    this.#reached = reached;
    if (Date.now() - this.#printedAt >= progressMs) this.print();
  }

  print(): void {
    this.#printedAt = Date.now();
    const sum = (counts: ReadonlyMap<string, number>) =>
      [...counts.values()].reduce((total, count) => total + count, 0);
    console.error(
      `${sum(this.#executions)} inputs run, ${sum(this.#corpus)} kept, ${this.#reached} characters of source reached`,
    );
  }
}
