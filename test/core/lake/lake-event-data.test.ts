import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../../core/contract/index.ts';
import { toLakeEventData } from '../../../core/lake/index.ts';

const account = '123456789012';

function record(fields: Partial<AuditRecord> = {}): AuditRecord {
  return {
    eventVersion: '1.0',
    eventID: '01937c2e-7b1e-7cc0-9d2a-3f6f0d5f5a11',
    eventTime: '2026-11-20T10:15:30.412Z',
    eventSource: 'ssh-proxy.example.com',
    eventName: 'ExecuteCommand',
    eventCategory: 'ActivityAuditLog',
    eventType: 'ActivityLog',
    awsRegion: 'eu-central-1',
    recipientAccountId: '111122223333',
    readOnly: false,
    sourceIPAddress: '203.0.113.9',
    userAgent: 'SSH-2.0-OpenSSH_9.9',
    userIdentity: {
      type: 'AssumedRole',
      principalId: 'AROAEXAMPLE:alice',
      userName: 'Engineer+alice',
      arn: 'arn:aws:sts::123456789012:assumed-role/Engineer/alice',
      accountId: '123456789012',
      sessionContext: { attributes: { mfaAuthenticated: 'true', creationDate: '2026-11-20T09:58:01.000Z' } },
    },
    requestParameters: {
      target: 'web-1',
      command: 'mysql -phunter2',
      commandSha256: 'ab',
      commandBytes: '15',
    },
    responseElements: {},
    additionalEventData: { sessionId: 's-1', chainSeq: '4' },
    ...fields,
  };
}

describe('the form for CloudTrail Lake', () => {
  it('has the fields of the published schema, details flat and times in whole seconds', () => {
    expect(toLakeEventData(record(), account)).toEqual({
      version: '1.0',
      UID: '01937c2e-7b1e-7cc0-9d2a-3f6f0d5f5a11',
      userIdentity: {
        type: 'AssumedRole',
        principalId: 'AROAEXAMPLE:alice',
        details: {
          userName: 'Engineer+alice',
          arn: 'arn:aws:sts::123456789012:assumed-role/Engineer/alice',
          accountId: '123456789012',
          mfaAuthenticated: 'true',
          creationDate: '2026-11-20T09:58:01.000Z',
        },
      },
      userAgent: 'SSH-2.0-OpenSSH_9.9',
      eventSource: 'ssh-proxy.example.com',
      eventName: 'ExecuteCommand',
      eventTime: '2026-11-20T10:15:30Z',
      requestParameters: { target: 'web-1', commandBytes: '15', commandOmitted: 'true' },
      responseElements: {},
      sourceIPAddress: '203.0.113.9',
      recipientAccountId: account,
      additionalEventData: {
        eventTimeMs: String(Date.UTC(2026, 10, 20, 10, 15, 30, 412)),
        readOnly: 'false',
        sessionId: 's-1',
        chainSeq: '4',
      },
    });
  });

  it('carries what was typed only where that is asked for', () => {
    const typed: AuditRecord = record({
      eventName: 'DetectCondition',
      userIdentity: { type: 'Unknown', principalId: 'unknown:hunter2', userName: 'hunter2' },
      responseElements: { title: 'hunter2', columns: '{"command":"hunter2"}', severity: 'high' },
      additionalEventData: { claimedUser: 'hunter2', sessionId: 's-1' },
    });

    const without = toLakeEventData(typed, account);
    const whole = toLakeEventData(typed, account, { includeCommands: true });

    expect(JSON.stringify(without)).not.toContain('hunter2');
    expect(without.responseElements).toEqual({ severity: 'high' });
    expect(without.userIdentity.principalId).toMatch(/^unknown:sha256:[0-9a-f]{16}$/);
    expect(JSON.stringify(whole).match(/hunter2/g)).toHaveLength(6);
  });

  it('tells different unproven names apart and the same ones not', () => {
    const named = (name: string) =>
      toLakeEventData(
        record({ userIdentity: { type: 'Unknown', principalId: `unknown:${name}`, userName: name } }),
        account,
      ).userIdentity.principalId;

    expect([named('a') === named('a'), named('a') === named('b')]).toEqual([true, false]);
  });

  it.each([
    ['203.0.113.9', '203.0.113.9', undefined],
    ['2001:db8::1', '2001:db8::1', undefined],
    ['fe80::1%eth0\n', undefined, 'fe80::1%eth0\n'],
    ['', undefined, ''],
  ])('has the address %j where it is one', (address, field, additional) => {
    const data = toLakeEventData(record({ sourceIPAddress: address }), account);

    expect([data.sourceIPAddress, data.additionalEventData['sourceAddress']]).toEqual([field, additional]);
  });

  it('cuts what is too long and says so', () => {
    const data = toLakeEventData(
      record({
        requestParameters: { target: 'web-1', path: 'x'.repeat(150_000) },
        additionalEventData: { sessionId: 's-1', note: '\u0416'.repeat(20_000) },
        errorMessage: 'y'.repeat(300),
      }),
      account,
    );

    expect(data.requestParameters).toMatchObject({ target: 'web-1', pathTruncated: 'true' });
    expect(data.requestParameters['path']).toMatch(/^x{40000,}$/);
    expect(data.additionalEventData).toMatchObject({ sessionId: 's-1', noteTruncated: 'true' });
    expect(data.errorMessage).toBe('y'.repeat(256));
  });

  it('says when there are more entries than fit', () => {
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, 'v']));

    const data = toLakeEventData(record({ responseElements: many }), account);

    expect(data.responseElements['entriesTruncated']).toBe('true');
    expect(data.responseElements['k0']).toBe('v');
    expect(Buffer.byteLength(JSON.stringify(data.responseElements))).toBeLessThanOrEqual(100_000);
  });

  it('keeps every limit, whatever a record holds', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40_000, size: 'max' }),
      fc.string({ maxLength: 20 }),
      fc.constant('"\\\u0000'.repeat(30_000)),
    );
    const anyMap = fc.dictionary(fc.string({ maxLength: 200 }), anyText, { maxKeys: 12 });
    fc.assert(
      fc.property(anyMap, anyMap, anyText, anyText, (request, additional, principalId, message) => {
        const data = toLakeEventData(
          record({
            requestParameters: request,
            responseElements: request,
            additionalEventData: additional,
            userIdentity: { type: 'LocalUser', principalId, userName: principalId },
            userAgent: principalId,
            errorMessage: message,
          }),
          account,
          { includeCommands: true },
        );

        const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
        expect(bytes(data.requestParameters)).toBeLessThanOrEqual(100_000);
        expect(bytes(data.responseElements)).toBeLessThanOrEqual(100_000);
        expect(bytes(data.additionalEventData)).toBeLessThanOrEqual(28_000);
        expect(data.userIdentity.principalId.length).toBeLessThanOrEqual(1024);
        expect(data.userAgent?.length).toBeLessThanOrEqual(1024);
        expect(data.errorMessage?.length).toBeLessThanOrEqual(256);
        expect(bytes(data)).toBeLessThan(260_000);
      }),
      { numRuns: 60 },
    );
  });
});
