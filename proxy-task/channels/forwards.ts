import { type Forward, openAgentChannel, openPortForward, openX11Channel } from '#core/event';
import type { ForwardDestination } from '#core/policy';
import type { ChannelOpen, GlobalRequest, Verdict } from '#ssh';
import type { ChannelOwner } from './channel-owner.ts';
import { judge, pass } from './judgement.ts';

export function gateOpen(owner: ChannelOwner, open: ChannelOpen): Verdict | Promise<Verdict> {
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
      return judgeForward(owner, 'local', { kind: 'tcp', host: detail.host, port: detail.port }, forward);
    case 'direct-streamlocal':
      return judgeForward(owner, 'local', { kind: 'unix', path: detail.path }, forward);
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

export function gateGlobal(owner: ChannelOwner, request: GlobalRequest): Verdict | Promise<Verdict> {
  const { detail } = request;
  switch (detail.kind) {
    case 'tcpip-forward':
      return judgeForward(owner, 'remote', { kind: 'tcp', host: detail.host, port: detail.port });
    case 'streamlocal-forward':
      return judgeForward(owner, 'remote', { kind: 'unix', path: detail.path });
    case 'cancel-tcpip-forward':
    case 'cancel-streamlocal-forward':
    case 'no-more-sessions':
    case 'keepalive':
    case 'other':
      return pass;
  }
}

/** `forward` is what is put on record where more is known of it than where it leads or listens. */
function judgeForward(
  owner: ChannelOwner,
  forwardType: Forward['forwardType'],
  destination: ForwardDestination,
  forward: Forward = destination.kind === 'unix'
    ? { forwardType, host: destination.path, port: 0 }
    : { forwardType, host: destination.host, port: destination.port },
): Promise<Verdict> {
  const at = owner.now();
  const kind = forwardType === 'local' ? 'forwardLocal' : 'forwardRemote';
  return judge(owner, { kind, destination }, (refused) =>
    openPortForward(owner.facts, at, { forward, refused }),
  );
}

export function forwardOf(open: ChannelOpen): Forward | undefined {
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
