import { type AuditDraft } from '#core/contract';
import {
  executeCommand,
  openShell,
  openSubsystem,
  type Refusal,
  requestAgentForwarding,
  requestX11Forwarding,
} from '#core/event';
import type { PolicyAction } from '#core/policy';
import type { ChannelName } from '#core/recording';
import { type TransferCommand, transferCommandOf } from '#core/transfer';
import type { ChannelRequest, RelayChannel, RelayTaps, Verdict } from '#ssh';
import {
  actionsOfCommand,
  actionsOfSubsystem,
  createChannelTransfer,
  transferOfSubsystem,
} from '../transfer/index.ts';
import type { ChannelOwner, ChannelState, Terminal } from './channel-owner.ts';
import { createCommandHold } from './command-hold.ts';
import { judgeVariable } from './environment-variable.ts';
import { judge, pass, refusedExitStatus } from './judgement.ts';
import { recordedCommand } from './recorded-command.ts';
import { terminalLines } from './terminal-lines.ts';

type Answer = Parameters<NonNullable<RelayTaps['channelRequestAnswered']>>[2];

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
const noTerminal: Terminal = { term: '', columns: 0, rows: 0 };

export function gateRequest(
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
      return judgeShell(owner, state, channelId);
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

/** What a grant makes of it is looked up first: the refusals go by the same answer as the judgement. */
async function judgeShell(
  owner: ChannelOwner,
  state: ChannelState,
  channelId: ChannelName,
): Promise<Verdict> {
  const { facts, access } = owner;
  const at = owner.now();
  await access.decideAnew({ kind: 'shell' });
  return judgeProgram(
    owner,
    state,
    { kind: 'shell' },
    (refused) => openShell(facts, at, { channelId, refused, ...state.terminal }),
    () => begin(owner, state, channelId, 'shell', undefined),
    state.started === undefined ? shellRefusal(owner, state) : secondProgram,
  );
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

export function noteAnswer(
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
