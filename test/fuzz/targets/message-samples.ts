import { MessageNumber, WireWriter } from '../../../ssh/wire/index.ts';
import { userKey } from './fixed-keys.ts';

/** Well-formed messages of each kind, to start from. */
export const userauthMessages: readonly Buffer[] = [
  request('none').finish(),
  request('password').boolean(false).string('a password').finish(),
  request('publickey').boolean(false).string('ssh-ed25519').string(userKey.publicKey.blob).finish(),
  request('publickey')
    .boolean(true)
    .string('ssh-ed25519')
    .string(userKey.publicKey.blob)
    .string(userKey.sign(Buffer.from('something else'), 'ssh-ed25519'))
    .finish(),
  request('keyboard-interactive').string('').string('').finish(),
  start(MessageNumber.userauthFailure).nameList(['publickey', 'keyboard-interactive']).boolean(true).finish(),
  start(MessageNumber.userauthBanner).string('welcome\r\n').string('').finish(),
  start(MessageNumber.userauthPkOk).string('ssh-ed25519').string(userKey.publicKey.blob).finish(),
  infoRequest(['Code: ']),
  infoRequest([]),
  start(MessageNumber.userauthInfoResponse).uint32(1).string('123456').finish(),
  start(MessageNumber.serviceRequest).string('ssh-userauth').finish(),
  start(MessageNumber.serviceAccept).string('ssh-userauth').finish(),
];

export const channelOpens: readonly Buffer[] = [
  open('session').finish(),
  open('direct-tcpip').string('192.0.2.7').uint32(80).string('198.51.100.1').uint32(1024).finish(),
  open('forwarded-tcpip').string('localhost').uint32(80).string('198.51.100.1').uint32(1024).finish(),
  open('direct-streamlocal@openssh.com').string('/run/a.sock').string('').uint32(0).finish(),
  open('forwarded-streamlocal@openssh.com').string('/run/a.sock').string('').finish(),
  open('x11').string('198.51.100.1').uint32(6000).finish(),
  open('auth-agent@openssh.com').finish(),
  open('unknown@example.com').raw(Buffer.from('data')).finish(),
  start(MessageNumber.channelOpenConfirmation).uint32(0).uint32(1).uint32(2_097_152).uint32(32_768).finish(),
  start(MessageNumber.channelOpenFailure).uint32(0).uint32(1).string('not here').string('').finish(),
];

export const channelRequests: readonly Buffer[] = [
  channelRequest('pty-req')
    .string('xterm')
    .uint32(80)
    .uint32(24)
    .uint32(0)
    .uint32(0)
    .string(Buffer.of(0))
    .finish(),
  channelRequest('window-change').uint32(80).uint32(24).uint32(0).uint32(0).finish(),
  channelRequest('env').string('LANG').string('C.UTF-8').finish(),
  channelRequest('shell').finish(),
  channelRequest('exec').string('uptime').finish(),
  channelRequest('subsystem').string('sftp').finish(),
  channelRequest('signal').string('TERM').finish(),
  channelRequest('exit-status').uint32(0).finish(),
  channelRequest('exit-signal').string('KILL').boolean(false).string('killed').string('').finish(),
  channelRequest('x11-req').boolean(false).string('MIT-MAGIC-COOKIE-1').string('00').uint32(0).finish(),
  channelRequest('auth-agent-req@openssh.com').finish(),
  channelRequest('other@example.com').raw(Buffer.from('data')).finish(),
];

export const channelMessages: readonly Buffer[] = [
  start(MessageNumber.channelWindowAdjust).uint32(0).uint32(32_768).finish(),
  start(MessageNumber.channelData).uint32(0).string('data').finish(),
  start(MessageNumber.channelExtendedData).uint32(0).uint32(1).string('data').finish(),
  start(MessageNumber.channelEof).uint32(0).finish(),
  start(MessageNumber.channelClose).uint32(0).finish(),
  start(MessageNumber.channelSuccess).uint32(0).finish(),
  start(MessageNumber.channelFailure).uint32(0).finish(),
];

export const globalRequests: readonly Buffer[] = [
  globalRequest('tcpip-forward').string('localhost').uint32(0).finish(),
  globalRequest('cancel-tcpip-forward').string('localhost').uint32(8080).finish(),
  globalRequest('streamlocal-forward@openssh.com').string('/run/a.sock').finish(),
  globalRequest('cancel-streamlocal-forward@openssh.com').string('/run/a.sock').finish(),
  globalRequest('no-more-sessions@openssh.com').finish(),
  globalRequest('keepalive@openssh.com').finish(),
  globalRequest('other@example.com').raw(Buffer.from('data')).finish(),
  start(MessageNumber.requestSuccess).uint32(8080).finish(),
];

/** Messages of RFC 4253 that any side may send. */
export const transportMessages: readonly Buffer[] = [
  start(MessageNumber.ignore).string('nothing').finish(),
  start(MessageNumber.debug).boolean(true).string('a remark').string('').finish(),
  start(MessageNumber.unimplemented).uint32(3).finish(),
  start(MessageNumber.ping).string('are you there').finish(),
  start(MessageNumber.pong).string('here').finish(),
  start(MessageNumber.extInfo)
    .uint32(1)
    .string('server-sig-algs')
    .string('ssh-ed25519,rsa-sha2-512')
    .finish(),
  start(MessageNumber.disconnect).uint32(11).string('goodbye').string('').finish(),
];

function start(number: number): WireWriter {
  return new WireWriter().byte(number);
}

function request(method: string): WireWriter {
  return start(MessageNumber.userauthRequest).string('engineer').string('ssh-connection').string(method);
}

function infoRequest(prompts: readonly string[]): Buffer {
  const writer = start(MessageNumber.userauthInfoRequest).string('').string('Enter it').string('');
  writer.uint32(prompts.length);
  for (const prompt of prompts) writer.string(prompt).boolean(false);
  return writer.finish();
}

function open(type: string): WireWriter {
  return start(MessageNumber.channelOpen).string(type).uint32(0).uint32(2_097_152).uint32(32_768);
}

function channelRequest(type: string): WireWriter {
  return start(MessageNumber.channelRequest).uint32(0).string(type).boolean(true);
}

function globalRequest(type: string): WireWriter {
  return start(MessageNumber.globalRequest).string(type).boolean(true);
}
