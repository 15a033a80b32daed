import { parseRunbook, type Runbook } from '../../../core/runbook/index.ts';

/** A sound runbook; tests change one thing of it. */
export const sampleYaml = `runbook: 1
id: SSH-900
title: A sample
status: stable
severity: high
owner: team:security
why: Something that must not happen has happened, and people must know why it matters.
inputs:
  grace: { type: duration, default: 2s }
  name: { type: string, default: "" }
trigger:
  event: StartSession
  schedule: rate(5 minutes)
  lookback: 30m
query:
  sql: |
    SELECT s.session_id, s.user_name, s.still_open
    FROM \${sessions} AS s
    WHERE s.ingest_time < \${to} - \${inputs.grace}
      AND s.user_name <> \${inputs.name}
finding:
  each: session_id
  suppress: 24h
  title: "\${user_name} did it"
  columns: [session_id, user_name, still_open]
respond:
  - do: evidence.snapshot
  - do: session.revoke
    when: still_open
    mode: auto
    verify: session.isOpen
    limit: { perRun: 2, perHour: 3, onExceed: approve }
    approvers: { group: "team:oncall", expires: 2h }
    message: "ended, \${user_name}; connect again"
  - do: notify
escalate:
  - { when: "user_name = 'root'", to: "team:oncall", as: P1, within: 5m }
  - { else: true, to: "team:security", as: P3 }
tests:
  - name: finds
    given: [{ at: -20m, StartSession: { session: s1, principal: alice } }]
    expect: { findings: [{ session_id: s1 }] }
  - name: finds nothing
    given: []
    expect: { findings: 0 }
docs: |
  ## Triage
  Look.
`;

export function sampleRunbook(change: (yaml: string) => string = (yaml) => yaml): Runbook {
  const parsed = parseRunbook(change(sampleYaml), 'SSH-900-sample.yaml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.runbook;
}
