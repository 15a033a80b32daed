import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sqlTokens } from '../../../core/lake/index.ts';
import { compileRunbook } from '../../../core/runbook/index.ts';
import { sampleRunbook } from './sample-runbook.ts';

const window = { fromMs: Date.UTC(2026, 10, 20, 10), toMs: Date.UTC(2026, 10, 20, 10, 30) };

function withInput(declaration: string) {
  return sampleRunbook((yaml) => yaml.replace('name: { type: string, default: "" }', declaration));
}

describe('compiling', () => {
  it('leaves no placeholder', () => {
    for (const engine of ['duckdb', 'athena', 'lake'] as const) {
      const sql = compileRunbook(sampleRunbook(), { engine, ...window });

      expect(
        sqlTokens(sql).filter((token) => token.kind === 'placeholder' || token.kind === 'broken'),
      ).toEqual([]);
    }
  });

  it('writes the window as literals of ingest time, and its days', () => {
    const sql = compileRunbook(sampleRunbook(), { engine: 'athena', ...window });

    expect(sql).toContain("n.ingest_time >= from_iso8601_timestamp('2026-11-20T10:00:00.000Z')");
    expect(sql).toContain("n.ingest_time < from_iso8601_timestamp('2026-11-20T10:30:00.000Z')");
    expect(sql).toContain("r.dt BETWEEN '2026-11-20' AND '2026-11-20'");
  });

  it('keeps CloudTrail Lake from reading more than it must', () => {
    const sql = compileRunbook(sampleRunbook(), { engine: 'lake', ...window });

    expect(sql).toContain("r.eventtime >= TIMESTAMP '2026-11-19 10:00:00'");
    expect(sql).not.toContain('r.dt');
  });

  it.each([
    ['name: { type: integer, default: 5 }', -7, '<> (-7)'],
    ['name: { type: integer, default: 5 }', '12', '<> 12'],
    ['name: { type: bytes, default: 1KiB }', '2MiB', '<> 2097152'],
    ['name: { type: boolean, default: true }', false, '<> false'],
    ['name: { type: duration, default: 1s }', '5m', "<> INTERVAL '300' SECOND"],
    ['name: { type: string, default: x }', "o'brien", "<> 'o''brien'"],
    ['name: { type: string, default: x }', '${to} -- \\', "<> '${to} -- \\'"],
  ])('binds %s = %s as a literal', (declaration, value, literal) => {
    const sql = compileRunbook(withInput(declaration), {
      engine: 'duckdb',
      ...window,
      inputs: { name: value },
    });

    expect(sql.endsWith(literal)).toBe(true);
  });

  it.each([
    ['name: { type: integer, default: 5 }', '1; DROP TABLE x'],
    ['name: { type: integer, default: 5 }', 1.5],
    ['name: { type: integer, default: 5 }', Number.NaN],
    ['name: { type: bytes, default: 1KiB }', '1 OR 1=1'],
    ['name: { type: boolean, default: true }', 'maybe'],
    ['name: { type: duration, default: 1s }', '5 minutes'],
    ['name: { type: string, default: x }', 'a\nb'],
    ['name: { type: string, default: x }', 'a\u0000'],
    ['name: { type: string, default: x }', 'x'.repeat(2_000)],
    ['name: { type: string, default: x }', 5],
  ])('refuses %s = %s', (declaration, value) => {
    const runbook = withInput(declaration);

    expect(() => compileRunbook(runbook, { engine: 'duckdb', ...window, inputs: { name: value } })).toThrow(
      expect.objectContaining({ code: 'input' }),
    );
  });

  it('refuses an input that is not declared', () => {
    expect(() =>
      compileRunbook(sampleRunbook(), { engine: 'duckdb', ...window, inputs: { __proto__x: 'a' } }),
    ).toThrow(expect.objectContaining({ code: 'input' }));
  });

  it('never lets a text input out of its quotes', () => {
    const runbook = sampleRunbook();
    const shape = (value: string) =>
      sqlTokens(compileRunbook(runbook, { engine: 'duckdb', ...window, inputs: { name: value } })).map(
        ({ kind }) => kind,
      );
    const expected = shape('x');

    fc.assert(
      fc.property(
        fc
          .oneof(fc.string({ maxLength: 50 }), fc.stringMatching(/^['"\\$\-/*{}; ]{0,20}$/))
          .filter((text) => !/\p{Cc}/u.test(text) && text.isWellFormed()),
        (text) => {
          expect(shape(text)).toEqual(expected);
        },
      ),
    );
  });
});
