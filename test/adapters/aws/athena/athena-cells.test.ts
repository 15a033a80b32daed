import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { athenaCell } from '../../../../adapters/aws/athena/athena-cells.ts';
import { lakeRow } from '../../../../adapters/aws/lake/lake-cells.ts';

describe('a value of Athena', () => {
  it.each([
    ['boolean', 'true', true],
    ['boolean', 'false', false],
    ['tinyint', '-7', -7],
    ['integer', '2147483647', 2147483647],
    ['bigint', '-9223372036854775808', -9223372036854775808n],
    ['double', '1.5E10', 1.5e10],
    ['double', 'NaN', Number.NaN],
    ['float', '0.25', 0.25],
    ['decimal', '12.50', 12.5],
    ['decimal', '12345678901234567.5', '12345678901234567.5'],
    ['timestamp with time zone', '2026-11-20 10:15:30.412 UTC', '2026-11-20T10:15:30.412Z'],
    ['timestamp with time zone', '2026-11-20 10:15:30.412345 UTC', '2026-11-20T10:15:30.412345Z'],
    [
      'timestamp with time zone',
      '2026-11-20 10:15:30.000 Europe/Berlin',
      '2026-11-20 10:15:30.000 Europe/Berlin',
    ],
    ['timestamp', '2026-11-20 10:15:30', '2026-11-20T10:15:30.000Z'],
    ['date', '2026-11-20', '2026-11-20'],
    ['varchar', 'true', 'true'],
    ['varchar', '', ''],
    ['array', '[a, b]', '[a, b]'],
    ['map', '{a=1}', '{a=1}'],
    ['integer', 'x', 'x'],
  ])('of type %s that is printed %j is read', (type, text, value) => {
    expect(athenaCell(type, { VarCharValue: text })).toEqual(value);
  });

  it('that is absent is NULL', () => {
    expect([athenaCell('varchar', {}), athenaCell('bigint', undefined)]).toEqual([null, null]);
  });

  it('is its text where it is no such value, whatever it is', () => {
    const types = ['boolean', 'integer', 'bigint', 'double', 'decimal', 'array', 'varchar'];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.string({ unit: 'binary' }), (type, text) => {
        const cell = athenaCell(type, { VarCharValue: text });

        if (typeof cell === 'string') expect(cell).toBe(text);
        else expect(['boolean', 'number', 'bigint']).toContain(typeof cell);
      }),
    );
  });
});

describe('a row of CloudTrail Lake', () => {
  it('has NULL for the word, and for a value that is left out', () => {
    expect(lakeRow(['a', 'b', 'c'], [{ a: 'null' }, { c: 'x' }])).toEqual({ a: null, b: null, c: 'x' });
  });

  it('keeps both of two columns with one name', () => {
    expect(lakeRow(['n', 'n_1'], [{ n: '1' }, { n: '2' }])).toEqual({ n: '1', n_1: '2' });
  });

  it('keeps the text of what is not of its column’s type', () => {
    expect(
      lakeRow(
        ['mfa', 'exit_status', 'event_time'],
        [{ mfa: 'yes' }, { exit_status: '1.5' }, { event_time: 'soon' }],
      ),
    ).toEqual({ mfa: 'yes', exit_status: '1.5', event_time: 'soon' });
  });

  it('keeps every text of a text column, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(lakeRow(['command'], [{ command: text }])).toEqual({ command: text === 'null' ? null : text });
      }),
    );
  });
});
