import { createHash } from 'node:crypto';
import type { AuditDraft } from '#core/contract';
import { draft, isoTime, maxCommandBytes, type Refusal } from './draft.ts';
import { bytesOf } from './evidence-text.ts';
import { actorOf, type SessionFacts, targetFields } from './facts.ts';

/** `exec`, `subsystem` and `auditd` are exact; `pty` is read off the terminal and may be wrong. */
export type CommandSource = 'exec' | 'subsystem' | 'pty' | 'auditd';

/** What an engineer asked for in a session: done, or refused (then the name of what was attempted stays). */
type Asked = { readonly channelId?: number | string | undefined; readonly refused?: Refusal | undefined };

/** Where a line was read off a terminal; `input` and `repl` are lines for a program that runs there. */
export type TerminalLine = {
  /** Counts from 1 within the channel; an AmendCommand names it. */
  readonly number: number;
  readonly kind: 'command' | 'input' | 'repl';
  readonly prompt: string;
  readonly recordingSecond: number;
};

export function executeCommand(
  facts: SessionFacts,
  atMs: number,
  what: Asked & {
    /** Without its secrets; kept exactly up to 8 KiB, the hash is over all of it. */
    readonly command: Uint8Array | string;
    /** How long it was, where that is not all of it. */
    readonly sentBytes?: number;
    readonly commandSource: CommandSource;
    readonly confidence?: 'exact' | 'high' | 'medium' | 'low';
    readonly pty?: boolean;
    /** Of a line that was read off a terminal; one that was denied has no number. */
    readonly line?: Partial<TerminalLine>;
  },
): AuditDraft {
  const bytes = bytesOf(what.command);
  return draft('ExecuteCommand', atMs, actorOf(facts, atMs), {
    request: {
      ...targetFields(facts),
      channel:
        what.commandSource === 'subsystem' ? 'subsystem' : what.commandSource === 'pty' ? 'shell' : 'exec',
      channelId: what.channelId,
      commandTruncated: false,
      command: { text: bytes, maxBytes: maxCommandBytes },
      commandBytes: what.sentBytes ?? bytes.length,
      commandSha256: createHash('sha256').update(bytes).digest('hex'),
      pty: what.pty,
      commandNumber: what.line?.number,
      lineKind: what.line?.kind,
      prompt: what.line?.prompt,
      recordingSecond: what.line?.recordingSecond,
    },
    additional: { commandSource: what.commandSource, confidence: what.confidence },
    refusal: what.refused,
  });
}

/** What was learnt of a command after it was on record: more lines of it, or that it was interrupted before it ran. */
export function amendCommand(
  facts: SessionFacts,
  atMs: number,
  what: {
    readonly channelId: string;
    readonly number: number;
    readonly command: string;
    readonly aborted: boolean;
  },
): AuditDraft {
  const bytes = bytesOf(what.command);
  return draft('AmendCommand', atMs, actorOf(facts, atMs), {
    request: {
      ...targetFields(facts),
      channel: 'shell',
      channelId: what.channelId,
      commandNumber: what.number,
      commandTruncated: false,
      command: { text: bytes, maxBytes: maxCommandBytes },
      commandBytes: bytes.length,
      commandSha256: createHash('sha256').update(bytes).digest('hex'),
      aborted: what.aborted,
    },
    additional: { commandSource: 'pty' },
  });
}

/** A shell, command or subsystem has ended: what it said and how much passed. */
export function completeCommand(
  facts: SessionFacts,
  atMs: number,
  what: {
    readonly channelId: number | string;
    readonly channel: 'shell' | 'exec' | 'subsystem';
    readonly exitStatus?: number | undefined;
    /** RFC 4254 §6.10, without SIG. */
    readonly exitSignal?: string | undefined;
    /** From the engineer's side. */
    readonly bytesIn: number;
    readonly bytesOut: number;
    readonly seconds: number;
  },
): AuditDraft {
  return draft('CompleteCommand', atMs, actorOf(facts, atMs), {
    request: { ...targetFields(facts), channel: what.channel, channelId: what.channelId },
    response: {
      exitStatus: what.exitStatus,
      exitSignal: what.exitSignal,
      bytesIn: what.bytesIn,
      bytesOut: what.bytesOut,
      seconds: what.seconds,
    },
  });
}

export function openShell(
  facts: SessionFacts,
  atMs: number,
  what: Asked & { readonly term?: string; readonly columns?: number; readonly rows?: number },
): AuditDraft {
  return draft('OpenShell', atMs, actorOf(facts, atMs), {
    request: {
      ...targetFields(facts),
      channel: 'shell',
      channelId: what.channelId,
      term: what.term,
      columns: what.columns,
      rows: what.rows,
    },
    refusal: what.refused,
  });
}

export function openSubsystem(
  facts: SessionFacts,
  atMs: number,
  what: Asked & { readonly name: string | Uint8Array },
): AuditDraft {
  return draft('OpenSubsystem', atMs, actorOf(facts, atMs), {
    request: {
      ...targetFields(facts),
      channel: 'subsystem',
      channelId: what.channelId,
      subsystem: what.name,
    },
    refusal: what.refused,
  });
}

/** One file that went through, or one thing done to the target's files; done, failed or refused. Paths are the bytes that were sent. */
export function transferFile(
  facts: SessionFacts,
  atMs: number,
  what: {
    readonly channelId: number | string;
    readonly channel: 'exec' | 'subsystem';
    readonly protocol: string;
    readonly operation: string;
    /** The protocol's own name for it. */
    readonly request: string | Uint8Array;
    readonly direction?: string | undefined;
    readonly path?: Uint8Array | undefined;
    readonly newPath?: Uint8Array | undefined;
    readonly resolvedPath?: Uint8Array | undefined;
    readonly attributes?: string | undefined;
    readonly outcome: string;
    readonly bytesRead?: number | undefined;
    readonly bytesWritten?: number | undefined;
    /** Hex. */
    readonly sha256?: string | undefined;
    readonly sha256Status?: string | undefined;
    /** What the target answered. */
    readonly status?: { readonly code?: number | undefined; readonly text: Uint8Array } | undefined;
    readonly reason?: string | undefined;
    readonly seconds: number;
    readonly refused?: Refusal | undefined;
  },
): AuditDraft {
  const { bytesRead, bytesWritten } = what;
  const bytes = bytesRead === undefined || bytesWritten === undefined ? undefined : bytesRead + bytesWritten;
  return draft('TransferFile', atMs, actorOf(facts, atMs), {
    request: {
      ...targetFields(facts),
      channel: what.channel,
      channelId: what.channelId,
      protocol: what.protocol,
      operation: what.operation,
      request: what.request,
      direction: what.direction,
      path: pathField(what.path),
      newPath: pathField(what.newPath),
      resolvedPath: pathField(what.resolvedPath),
      attributes: what.attributes,
    },
    response: {
      outcome: what.outcome,
      bytes,
      bytesRead,
      bytesWritten,
      fileSha256: what.sha256,
      sha256Status: what.sha256Status,
      statusCode: what.status?.code,
      statusText: what.status === undefined ? undefined : { text: what.status.text, maxBytes: 256 },
      reason: what.reason,
      seconds: what.seconds,
    },
    additional: { commandSource: what.channel },
    refusal: what.refused,
  });
}

/** Four times PATH_MAX: as long as a path can get that is no UTF-8 and is kept whole. */
const maxPathBytes = 16_384;

function pathField(path: Uint8Array | undefined) {
  return path === undefined ? undefined : { text: path, maxBytes: maxPathBytes };
}

/**
 * A tunnel. `local`: a direct-tcpip channel to host and port (what `-D` opens looks the same on the wire). `remote`:
 * the target listens on host and port.
 */
export type Forward = {
  readonly forwardType: 'local' | 'remote';
  readonly host: string;
  readonly port: number;
  readonly originatorIp?: string | undefined;
  readonly originatorPort?: number | undefined;
};

export function openPortForward(
  facts: SessionFacts,
  atMs: number,
  what: Asked & { readonly forward: Forward },
): AuditDraft {
  return draft('OpenPortForward', atMs, actorOf(facts, atMs), {
    request: { ...targetFields(facts), ...forwardFields(what.forward), channelId: what.channelId },
    refusal: what.refused,
  });
}

export function closePortForward(
  facts: SessionFacts,
  atMs: number,
  what: {
    readonly forward: Forward;
    readonly channelId?: number | string | undefined;
    /** From the engineer's side. */
    readonly bytesIn: number;
    readonly bytesOut: number;
    readonly seconds: number;
  },
): AuditDraft {
  return draft('ClosePortForward', atMs, actorOf(facts, atMs), {
    request: { ...targetFields(facts), ...forwardFields(what.forward), channelId: what.channelId },
    response: { bytesIn: what.bytesIn, bytesOut: what.bytesOut, seconds: what.seconds },
  });
}

export function requestAgentForwarding(facts: SessionFacts, atMs: number, what: Asked = {}): AuditDraft {
  return draft('RequestAgentForwarding', atMs, actorOf(facts, atMs), {
    request: { ...targetFields(facts), channelId: what.channelId },
    refusal: what.refused,
  });
}

export function requestX11Forwarding(
  facts: SessionFacts,
  atMs: number,
  what: Asked & { readonly singleConnection?: boolean; readonly screen?: number } = {},
): AuditDraft {
  return draft('RequestX11Forwarding', atMs, actorOf(facts, atMs), {
    request: {
      ...targetFields(facts),
      channelId: what.channelId,
      singleConnection: what.singleConnection,
      screen: what.screen,
    },
    refusal: what.refused,
  });
}

/** The client asked for an environment variable to be set; whether the target takes it, it decides itself. Secrets are hidden. */
export function setEnvironment(
  facts: SessionFacts,
  atMs: number,
  what: Asked & { readonly name: string; readonly value: string | Uint8Array; readonly valueBytes: number },
): AuditDraft {
  return draft('SetEnvironment', atMs, actorOf(facts, atMs), {
    request: {
      ...targetFields(facts),
      channelId: what.channelId,
      variable: what.name,
      value: what.value,
      valueBytes: what.valueBytes,
    },
    refusal: what.refused,
  });
}

/** The target reaches for the engineer's agent, which was forwarded to it. */
export function openAgentChannel(facts: SessionFacts, atMs: number): AuditDraft {
  return draft('OpenAgentChannel', atMs, actorOf(facts, atMs), { request: targetFields(facts) });
}

/** A program on the target, or through it, shows something on the engineer's display. Who it says it is, it says itself. */
export function openX11Channel(
  facts: SessionFacts,
  atMs: number,
  what: { readonly originatorIp: string; readonly originatorPort: number },
): AuditDraft {
  return draft('OpenX11Channel', atMs, actorOf(facts, atMs), {
    request: {
      ...targetFields(facts),
      originatorIp: what.originatorIp,
      originatorPort: what.originatorPort,
    },
  });
}

/** Once a minute, of a session in which something moved. Bytes are those since the report before. */
export function reportSessionUsage(
  facts: SessionFacts,
  atMs: number,
  what: {
    readonly bytesIn: number;
    readonly bytesOut: number;
    readonly seconds: number;
    readonly lastInputAtMs?: number | undefined;
  },
): AuditDraft {
  return draft('ReportSessionUsage', atMs, actorOf(facts, atMs), {
    request: targetFields(facts),
    response: {
      bytesIn: what.bytesIn,
      bytesOut: what.bytesOut,
      seconds: what.seconds,
      lastInputAt: isoTime(what.lastInputAtMs),
    },
  });
}

function forwardFields(forward: Forward) {
  return {
    forwardType: forward.forwardType,
    forwardHost: forward.host,
    forwardPort: forward.port,
    originatorIp: forward.originatorIp,
    originatorPort: forward.originatorPort,
  };
}
