import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateSshd, startPrivateSshd } from '../../../cli/playground/private-sshd.ts';
import { targetAlgorithms } from '../../../ssh/algorithms/index.ts';
import { formatCertificateLine } from '../../../ssh/certificate/index.ts';
import { formatPrivateKey, formatPublicKeyLine } from '../../../ssh/keys/index.ts';
import {
  type AlgorithmPreferences,
  adoptConnection,
  connectSocket,
  createTransport,
  type HostKey,
  linkFromSocket,
  type Transport,
} from '../../../ssh/transport/index.ts';
import { MessageNumber, WireReader, WireWriter } from '../../../ssh/wire/index.ts';
import { run } from '../../support/run.ts';
import { keygenDirectory } from '../keys/ssh-keygen.ts';
import { certifiedHostKey, hostAuthority } from './host-keys.ts';
import { inbox, portOf, until } from './linked-transports.ts';

// The ML-KEM exchange, and the other one's name without @openssh.com, are in OpenSSH from 9.9 on.
const known = (await run('ssh', ['-Q', 'kex'])).stdout.toString().split('\n');
const keyExchange = targetAlgorithms.keyExchange.filter((name) => known.includes(name));
const macs = [
  'hmac-sha2-256-etm@openssh.com',
  'hmac-sha2-512-etm@openssh.com',
  'hmac-sha2-256',
  'hmac-sha2-512',
];
// The client's order decides: one exchange leaves it no choice.
const usual: AlgorithmPreferences = { ...targetAlgorithms, keyExchange: ['curve25519-sha256'], mac: macs };
const choices: readonly (readonly [string, AlgorithmPreferences])[] = [
  ...keyExchange.map((name) => [name, { ...usual, keyExchange: [name] }] as const),
  ...usual.hostKey.map((name) => [name, { ...usual, hostKey: [name] }] as const),
  ...usual.cipher.flatMap((cipher) =>
    (cipher.includes('gcm') ? macs.slice(0, 1) : macs).map(
      (mac) => [`${cipher} ${mac}`, { ...usual, cipher: [cipher], mac: [mac] }] as const,
    ),
  ),
];

const directory = keygenDirectory();
let hostKeys: HostKey[];

beforeAll(async () => {
  hostKeys = await Promise.all([
    certifiedHostKey('ed25519'),
    certifiedHostKey('ecdsa-p256'),
    certifiedHostKey('ecdsa-p384'),
    certifiedHostKey('ecdsa-p521'),
    certifiedHostKey('rsa-3072'),
  ]);
});

describe('the OpenSSH client at our server', () => {
  it.each(choices)('gets to authentication with %s', async (_name, algorithms) => {
    const knownHosts = directory.write(
      'known_hosts',
      [
        `@cert-authority localhost ${formatPublicKeyLine(hostAuthority.publicKey)}`,
        ...hostKeys.map((key) => `localhost ${formatPublicKeyLine(key.privateKey.publicKey)}`),
      ].join('\n'),
    );
    let transport: Transport | undefined;
    const server = net.createServer({ pauseOnConnect: true }, (socket) => {
      transport = createTransport(linkFromSocket(adoptConnection(socket)), {
        role: 'server',
        softwareVersion: 'sshtrail_test',
        algorithms,
        hostKeys,
        serverSignatureAlgorithms: ['ssh-ed25519', 'rsa-sha2-512'],
      });
      answerService(transport);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

    const ssh = await run('ssh', [
      '-F',
      'none',
      '-vv',
      '-p',
      `${portOf(server)}`,
      '-oBatchMode=yes',
      '-oStrictHostKeyChecking=yes',
      '-oHostKeyAlias=localhost',
      `-oUserKnownHostsFile=${knownHosts}`,
      '-oGlobalKnownHostsFile=none',
      'alice@127.0.0.1',
      'true',
    ]);
    server.close();

    expect(ssh.stderr).toContain('SSH2_MSG_SERVICE_ACCEPT received');
    expect(ssh.stderr).toContain(`kex: algorithm: ${algorithms.keyExchange[0]}`);
    expect(ssh.stderr).toContain(`kex: host key algorithm: ${transport?.negotiated.hostKey}`);
    expect(ssh.stderr).toContain(
      `kex: server->client cipher: ${transport?.negotiated.cipherOut} MAC: ${shown(transport?.negotiated.macOut)}`,
    );
    expect(ssh.stderr).toContain('server-sig-algs=<ssh-ed25519,rsa-sha2-512>');
    expect(ssh.stderr).toContain('nobody gets in here');
    expect((await transport?.ended)?.kind).toBe('local');
  });
});

describe('our client at the OpenSSH server', () => {
  let sshd: PrivateSshd;

  beforeAll(async () => {
    const [first, ...others] = hostKeys;
    if (first === undefined) throw new Error('no host key');
    const folder = directory.path('sshd');
    const lines = hostKeys.flatMap((key, index) => {
      const certificate = directory.write(
        `host_${index}-cert.pub`,
        `${formatCertificateLine(key.certificate ?? Buffer.alloc(0))}\n`,
      );
      return [`HostCertificate ${certificate}`];
    });
    const files = others.map((key, index) =>
      directory.write(`host_${index}`, formatPrivateKey(key.privateKey, '')),
    );
    sshd = await startPrivateSshd({
      directory: folder,
      authority: formatPublicKeyLine(hostAuthority.publicKey),
      hostKey: formatPrivateKey(first.privateKey, ''),
      extraConfiguration: [...lines, ...files.map((file) => `HostKey ${file}`)],
    });
  });

  afterAll(() => sshd.stop());

  it.each(choices)('gets its service with %s', async (_name, algorithms) => {
    const socket = await connectSocket({ host: '127.0.0.1', port: sshd.port, timeoutMs: 5000 });
    const presented: Buffer[] = [];
    const transport = createTransport(linkFromSocket(socket), {
      role: 'client',
      softwareVersion: 'sshtrail_test',
      algorithms,
      verifyHostKey: (blob) => {
        presented.push(Buffer.from(blob));
        return { accepted: true };
      },
    });
    const received = inbox(transport);
    transport.send(new WireWriter().byte(MessageNumber.serviceRequest).string('ssh-userauth').finish());
    await until(() => received.length === 1, 'SERVICE_ACCEPT');

    const [accept] = received;
    if (accept === undefined) throw new Error('no answer');
    const reader = new WireReader(accept);
    expect(reader.byte()).toBe(MessageNumber.serviceAccept);
    expect(reader.text()).toBe('ssh-userauth');
    expect(transport.negotiated.keyExchange).toBe(algorithms.keyExchange[0]);
    expect(transport.negotiated.hostKey).toBe(algorithms.hostKey[0]);
    expect(transport.negotiated.cipherOut).toBe(algorithms.cipher[0]);
    expect(transport.remoteIdentification).toMatch(/^SSH-2\.0-OpenSSH/);
    expect(transport.peerSignatureAlgorithms).toContain('rsa-sha2-512');
    expect(hostKeys.flatMap((key) => [key.privateKey.publicKey.blob, key.certificate])).toContainEqual(
      presented[0],
    );
    transport.disconnect(11, 'done');
    expect((await transport.ended).kind).toBe('local');
  });
});

/** Accepts the authentication service and lets nobody in. */
function answerService(transport: Transport): void {
  transport.onMessage = (plain, payloadLength) => {
    const payload = plain.subarray(1, 1 + payloadLength);
    if (payload[0] === MessageNumber.serviceRequest) {
      const accept = Buffer.from(payload);
      accept[0] = MessageNumber.serviceAccept;
      transport.send(accept);
    } else {
      transport.disconnect(14, 'nobody gets in here');
    }
  };
}

/** `implicit` is what ssh calls the MAC of an authenticated cipher, too. */
function shown(mac: string | undefined): string {
  return mac === 'implicit' ? '<implicit>' : (mac ?? '');
}
