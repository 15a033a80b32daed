import type { AuditDraft } from '#core/contract';
import {
  closePortForward,
  completeCommand,
  executeCommand,
  type Forward,
  openAgentChannel,
  openPortForward,
  openShell,
  openSubsystem,
  openX11Channel,
  type Refusal,
  requestAgentForwarding,
  requestX11Forwarding,
  type SessionFacts,
} from '#core/event';
import type { PolicyAction } from '#core/policy';
import type { ChannelName } from '#core/recording';
import { type TransferCommand, transferCommandOf } from '#core/transfer';
import type {
  ChannelOpen,
  ChannelRequest,
  GlobalRequest,
  RelayChannel,
  RelayGates,
  RelayTaps,
  Verdict,
} from '#ssh';
import { type CommandHold, createCommandHold } from './command-hold.ts';
import { judgeVariable } from './environment-variable.ts';
import { recordedCommand } from './recorded-command.ts';
import type { ChannelRecorder, RecordingExit, RecordingStart } from './recording/index.ts';
import { type Denial, refusalOf, type SessionAccess } from './session-access.ts';
import type { UsageMeter } from './session-usage.ts';
import { terminalLines } from './terminal-lines.ts';
import {
  actionsOfCommand,
  actionsOfSubsystem,
  type ChannelTransfer,
  type ContentHashing,
  createChannelTransfer,
  transferOfSubsystem,
} from './transfer/index.ts';

/** What a session's channels need of the session. */
export type ChannelOwner = {
  readonly facts: SessionFacts;
  readonly access: SessionAccess;
  readonly now: () => number;
  /** Resolves when the event is durable. */
  record(draft: AuditDraft): Promise<void>;
  /** Work nobody awaits: the session ends only after it, and its failure is the session's. */
  owe(work: Promise<void>): void;
  /** Nothing more is read from either side before this has settled. */
  holdUntil(work: Promise<void>): void;
  readonly hashing: ContentHashing;
  readonly usage: UsageMeter;
  /** Hides secrets. */
  readonly redact: (text: string) => string;
  /** Starts recording a shell's or a command's output; undefined where recording is off for it. */
  startRecording(
    channel: ChannelName,
    kind: 'shell' | 'exec',
    terminal: Terminal,
    command: string | undefined,
    /** What to do with lines that are read off the terminal. */
    lines: Pick<RecordingStart, 'onCommand' | 'onAmend'>,
  ): ChannelRecorder;
  /** Finishes a recording and puts its manifest on record. */
  storeRecording(recorder: ChannelRecorder, exit: RecordingExit | undefined): Promise<void>;
};

type Answer = Parameters<NonNullable<RelayTaps['channelRequestAnswered']>>[2];

type Terminal = { readonly term: string; readonly columns: number; readonly rows: number };

/** What is known of one channel while it is open. */
type ChannelState = {
  terminal: Terminal | undefined;
  recorder: ChannelRecorder | undefined;
  /** Only where there is a terminal. */
  hold: CommandHold | undefined;
  terminalAskedAtMs: number | undefined;
  /** How long the target took to answer that. */
  roundTripMs: number | undefined;
  transfer: ChannelTransfer | undefined;
  started: { readonly kind: 'shell' | 'exec' | 'subsystem'; readonly atMs: number } | undefined;
  exit: RecordingExit | undefined;
  forward: { readonly forward: Forward; readonly openedAtMs: number } | undefined;
  /** Environment variables that were asked for. */
  variables: number;
};

/** What shells say of a command that may not be run. */
const refusedExitStatus = 126;
const secondProgram: Refusal = {
  errorCode: 'ProtocolError',
  denyReason: 'second-program',
  message: 'this channel has a program already; open another channel for this one',
};
const transferOnTerminal: Refusal = {
  errorCode: 'AccessDenied',
  denyReason: 'transfer-on-terminal',
  message: 'policy speaks of single files, which cannot be told apart on a terminal; leave out -t',
};
const shellWithoutTerminal: Refusal = {
  errorCode: 'AccessDenied',
  denyReason: 'shell-without-terminal',
  message: 'policy speaks of single commands, which are judged on a terminal; use ssh -t',
};
const pass: Verdict = { kind: 'pass' };
const noTerminal: Terminal = { term: '', columns: 0, rows: 0 };

/**
 * The gates and taps of one session: policy is asked for each channel, request and forward, and each answer is on record
 * before the target sees what it allows.
 */
export function createSessionChannels(owner: ChannelOwner): {
  readonly gates: RelayGates;
  readonly taps: RelayTaps;
} {
  const states = new Map<number, ChannelState>();

  function stateOf(channel: RelayChannel): ChannelState {
    const known = states.get(channel.serial);
    if (known !== undefined) return known;
    const fresh: ChannelState = {
      terminal: undefined,
      recorder: undefined,
      hold: undefined,
      terminalAskedAtMs: undefined,
      roundTripMs: undefined,
      transfer: undefined,
      started: undefined,
      exit: undefined,
      forward: undefined,
      variables: 0,
    };
    states.set(channel.serial, fresh);
    return fresh;
  }

  return {
    gates: {
      channelOpen: (open) => gateOpen(owner, open),
      channelRequest: (channel, request) => gateRequest(owner, stateOf(channel), channel, request),
      globalRequest: (request) => gateGlobal(owner, request),
      // What a transfer says on its standard error is text for people, and none of what a client says there is typed.
      channelData(channel, from, stream, data) {
        const state = stream === 'data' ? states.get(channel.serial) : undefined;
        const held = from === 'client' ? state?.hold?.fromClient(data) : undefined;
        return held ?? state?.transfer?.data(from, data) ?? 'pass';
      },
    },
    taps: {
      channelOpened(channel) {
        const forward = forwardOf(channel.open);
        if (forward !== undefined) stateOf(channel).forward = { forward, openedAtMs: owner.now() };
      },
      channelRequestAnswered(channel, request, answer) {
        const state = states.get(channel.serial);
        if (state !== undefined) noteAnswer(state, request, answer, owner.now());
      },
      channelData(channel, from, stream, data) {
        owner.usage.moved(from, data.length);
        const state = states.get(channel.serial);
        if (from === 'target') {
          state?.recorder?.output(data, stream === 'stderr' ? 'stderr' : 'stdout');
          state?.hold?.shown();
        } else if (stream === 'data') {
          state?.recorder?.input(data);
          state?.hold?.typed();
        }
      },
      channelClosed(channel) {
        const state = states.get(channel.serial);
        states.delete(channel.serial);
        state?.hold?.end();
        state?.transfer?.end(state.exit?.kind === 'status' ? state.exit.status : undefined);
        if (state !== undefined) owner.owe(closeChannel(owner, state, channel));
      },
    },
  };
}

/** Asks policy, puts the answer on record, and says it. The event bears the name of what was attempted either way. */
async function judge(
  owner: ChannelOwner,
  actions: PolicyAction | readonly PolicyAction[],
  event: (refused: Refusal | undefined) => AuditDraft,
): Promise<Verdict> {
  const denial = firstDenial(owner, [actions].flat());
  if (denial === undefined) {
    await owner.record(event(undefined));
    return pass;
  }
  const refusal = refusalOf(denial);
  await owner.record(event(refusal));
  return {
    kind: 'refuse',
    openFailureReason: 1,
    exitStatus: refusedExitStatus,
    message: `sshtrail: ${refusal.message} (session ${owner.facts.sessionId})`,
  };
}

/** One program a channel (RFC 4254 §6.5), whatever the target thinks of that: a second one would take the first one's recording. */
async function judgeProgram(
  owner: ChannelOwner,
  state: ChannelState,
  actions: PolicyAction | readonly PolicyAction[],
  event: (refused: Refusal | undefined) => AuditDraft,
  begins: () => void,
  refused: Refusal | undefined = state.started === undefined ? undefined : secondProgram,
): Promise<Verdict> {
  if (refused !== undefined) {
    await owner.record(event(refused));
    const exitStatus = refused === secondProgram ? {} : { exitStatus: refusedExitStatus };
    return { kind: 'refuse', message: `sshtrail: ${refused.message}`, ...exitStatus };
  }
  const verdict = await judge(owner, actions, event);
  if (verdict.kind === 'pass') begins();
  return verdict;
}

function terminalRefusal(owner: ChannelOwner, state: ChannelState, command: string): Refusal | undefined {
  const { access } = owner;
  const isGuarded = access.readsFiles('upload') || access.readsFiles('download');
  return isGuarded && state.terminal !== undefined && transferCommandOf(command) !== undefined
    ? transferOnTerminal
    : undefined;
}

function shellRefusal({ access }: ChannelOwner, state: ChannelState): Refusal | undefined {
  return state.terminal === undefined && access.decide({ kind: 'shell' }).allowed && access.judgesCommands()
    ? shellWithoutTerminal
    : undefined;
}

/** All of them must be allowed. */
function firstDenial(owner: ChannelOwner, actions: readonly PolicyAction[]): Denial | undefined {
  for (const action of actions) {
    const decision = owner.access.decide(action);
    if (!decision.allowed) return decision;
  }
  return undefined;
}

function gateOpen(owner: ChannelOwner, open: ChannelOpen): Verdict | Promise<Verdict> {
  const { detail } = open;
  const at = owner.now();
  const forward = forwardOf(open);
  switch (detail.kind) {
    // What a session channel may do is asked when it says what it wants; agents and X11 were granted by a request before.
    case 'session':
      return pass;
    case 'auth-agent':
      return owner.record(openAgentChannel(owner.facts, at)).then(() => pass);
    case 'x11': {
      const { originHost: originatorIp, originPort: originatorPort } = detail;
      return owner.record(openX11Channel(owner.facts, at, { originatorIp, originatorPort })).then(() => pass);
    }
    case 'direct-tcpip':
      return judge(
        owner,
        { kind: 'forwardLocal', destination: { kind: 'tcp', host: detail.host, port: detail.port } },
        (refused) =>
          openPortForward(owner.facts, at, {
            forward: forward ?? { forwardType: 'local', host: detail.host, port: detail.port },
            refused,
          }),
      );
    case 'direct-streamlocal':
      return judge(
        owner,
        { kind: 'forwardLocal', destination: { kind: 'unix', path: detail.path } },
        (refused) =>
          openPortForward(owner.facts, at, {
            forward: { forwardType: 'local', host: detail.path, port: 0 },
            refused,
          }),
      );
    // The relay lets these through only where the client asked for the forward and it was granted; each connection is on record.
    case 'forwarded-tcpip':
    case 'forwarded-streamlocal':
      if (forward === undefined) return pass;
      return owner.record(openPortForward(owner.facts, at, { forward })).then(() => pass);
    case 'unknown':
      return {
        kind: 'refuse',
        openFailureReason: 3,
        message: 'sshtrail: this type of channel is not known here',
      };
  }
}

function gateRequest(
  owner: ChannelOwner,
  state: ChannelState,
  channel: RelayChannel,
  request: ChannelRequest,
): Verdict | Promise<Verdict> {
  const { detail } = request;
  const { facts } = owner;
  const at = owner.now();
  const channelId: ChannelName = `c${channel.serial}`;
  if (request.from === 'target') return pass;
  switch (detail.kind) {
    case 'shell':
      return judgeProgram(
        owner,
        state,
        { kind: 'shell' },
        (refused) => openShell(facts, at, { channelId, refused, ...state.terminal }),
        () => begin(owner, state, channelId, 'shell', undefined),
        state.started === undefined ? shellRefusal(owner, state) : secondProgram,
      );
    case 'exec': {
      const command = detail.command.toString('utf8');
      const recorded = recordedCommand(detail.command, owner.redact);
      return judgeProgram(
        owner,
        state,
        actionsOfCommand(command, owner.access),
        (refused) =>
          executeCommand(facts, at, {
            channelId,
            ...recorded,
            commandSource: 'exec',
            confidence: 'exact',
            pty: state.terminal !== undefined,
            refused,
          }),
        () =>
          begin(owner, state, channelId, 'exec', {
            sent: command,
            recorded: recorded.command.toString('utf8'),
          }),
        state.started === undefined ? terminalRefusal(owner, state, command) : secondProgram,
      );
    }
    case 'subsystem':
      return judgeProgram(
        owner,
        state,
        actionsOfSubsystem(detail.name, owner.access),
        (refused) => openSubsystem(facts, at, { channelId, name: detail.name, refused }),
        () => {
          state.started = { kind: 'subsystem', atMs: at };
          watch(owner, state, channelId, 'subsystem', transferOfSubsystem(detail.name));
        },
      );
    case 'auth-agent-req':
      return judge(owner, { kind: 'forwardAgent' }, (refused) =>
        requestAgentForwarding(facts, at, { channelId, refused }),
      );
    case 'x11-req':
      return judge(owner, { kind: 'forwardX11' }, (refused) =>
        requestX11Forwarding(facts, at, { channelId, refused }),
      );
    case 'pty-req':
      state.terminal = { term: detail.term, columns: detail.columns, rows: detail.rows };
      if (request.wantReply) state.terminalAskedAtMs = at;
      return pass;
    case 'window-change':
      if (state.terminal !== undefined)
        state.terminal = { ...state.terminal, columns: detail.columns, rows: detail.rows };
      state.recorder?.resize(detail.columns, detail.rows);
      return pass;
    case 'env':
      state.variables += 1;
      return judgeVariable(owner, { ...detail, channelId, number: state.variables });
    case 'signal':
    case 'exit-status':
    case 'exit-signal':
    case 'other':
      return pass;
  }
}

function gateGlobal(owner: ChannelOwner, request: GlobalRequest): Verdict | Promise<Verdict> {
  const { detail } = request;
  const at = owner.now();
  switch (detail.kind) {
    case 'tcpip-forward':
      return judge(
        owner,
        { kind: 'forwardRemote', destination: { kind: 'tcp', host: detail.host, port: detail.port } },
        (refused) =>
          openPortForward(owner.facts, at, {
            forward: { forwardType: 'remote', host: detail.host, port: detail.port },
            refused,
          }),
      );
    case 'streamlocal-forward':
      return judge(
        owner,
        { kind: 'forwardRemote', destination: { kind: 'unix', path: detail.path } },
        (refused) =>
          openPortForward(owner.facts, at, {
            forward: { forwardType: 'remote', host: detail.path, port: 0 },
            refused,
          }),
      );
    case 'cancel-tcpip-forward':
    case 'cancel-streamlocal-forward':
    case 'no-more-sessions':
    case 'keepalive':
    case 'other':
      return pass;
  }
}

function begin(
  owner: ChannelOwner,
  state: ChannelState,
  channelId: ChannelName,
  kind: 'shell' | 'exec',
  command: { readonly sent: string; readonly recorded: string } | undefined,
): void {
  state.started = { kind, atMs: owner.now() };
  const transfer =
    command === undefined || state.terminal !== undefined ? undefined : transferCommandOf(command.sent);
  if (transfer !== undefined) return watch(owner, state, channelId, 'exec', transfer);
  const lines = state.terminal === undefined ? {} : terminalLines(owner, channelId, state.started.atMs);
  state.recorder = owner.startRecording(
    channelId,
    kind,
    state.terminal ?? noTerminal,
    command?.recorded,
    lines,
  );
  if (state.terminal === undefined) return;
  state.hold = createCommandHold(owner, channelId, state.recorder, state.started.atMs);
  if (state.roundTripMs !== undefined) state.hold.noteRoundTrip(state.roundTripMs);
}

function watch(
  owner: ChannelOwner,
  state: ChannelState,
  channelId: ChannelName,
  channel: 'exec' | 'subsystem',
  transfer: TransferCommand | undefined,
): void {
  if (transfer === undefined) return;
  state.transfer = createChannelTransfer(owner, { channel, channelId }, transfer);
}

function noteAnswer(
  state: ChannelState,
  { from, detail }: ChannelRequest,
  answer: Answer,
  atMs: number,
): void {
  if (from === 'client' && detail.kind === 'pty-req') {
    if (state.terminalAskedAtMs !== undefined) state.roundTripMs = atMs - state.terminalAskedAtMs;
    if (state.roundTripMs !== undefined) state.hold?.noteRoundTrip(state.roundTripMs);
    if (answer === 'failure') noteNoTerminal(state);
  }
  // Clients ask for a command instead when the target has no such subsystem.
  if (from === 'client' && detail.kind === 'subsystem' && answer === 'failure') {
    state.started = undefined;
    state.transfer = undefined;
  }
  if (from !== 'target') return;
  if (detail.kind === 'exit-status') state.exit = { kind: 'status', status: detail.status };
  if (detail.kind === 'exit-signal') state.exit = { kind: 'signal', signal: detail.signal };
}

/** What runs on the channel, or will, has no terminal, although the client asked for one. */
function noteNoTerminal(state: ChannelState): void {
  state.terminal = undefined;
  state.hold?.noTerminal();
}

async function closeChannel(owner: ChannelOwner, state: ChannelState, channel: RelayChannel): Promise<void> {
  const at = owner.now();
  const { client, target } = channel.bytesFrom;
  if (state.forward !== undefined) {
    const { forward, openedAtMs } = state.forward;
    await owner.record(
      closePortForward(owner.facts, at, {
        forward,
        channelId: `c${channel.serial}`,
        bytesIn: client,
        bytesOut: target,
        seconds: (at - openedAtMs) / 1000,
      }),
    );
  }
  if (state.started !== undefined) {
    await owner.record(
      completeCommand(owner.facts, at, {
        channelId: `c${channel.serial}`,
        channel: state.started.kind,
        exitStatus: state.exit?.kind === 'status' ? state.exit.status : undefined,
        exitSignal: state.exit?.kind === 'signal' ? state.exit.signal : undefined,
        bytesIn: client,
        bytesOut: target,
        seconds: (at - state.started.atMs) / 1000,
      }),
    );
  }
  if (state.recorder !== undefined) await owner.storeRecording(state.recorder, state.exit);
}

function forwardOf(open: ChannelOpen): Forward | undefined {
  const { detail } = open;
  switch (detail.kind) {
    case 'direct-tcpip':
    case 'forwarded-tcpip':
      return {
        forwardType: detail.kind === 'direct-tcpip' ? 'local' : 'remote',
        host: detail.host,
        port: detail.port,
        originatorIp: detail.originHost,
        originatorPort: detail.originPort,
      };
    case 'direct-streamlocal':
    case 'forwarded-streamlocal':
      return {
        forwardType: detail.kind === 'direct-streamlocal' ? 'local' : 'remote',
        host: detail.path,
        port: 0,
      };
    case 'session':
    case 'auth-agent':
    case 'x11':
    case 'unknown':
      return undefined;
  }
}
