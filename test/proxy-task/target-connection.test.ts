import { randomBytes } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { HostTrust, Target } from '#core/contract';
import {
  adoptConnection,
  algorithmProfiles,
  createTransport,
  formatPublicKeyLine,
  generatePrivateKey,
  type HostKey,
  linkFromSocket,
  mintCertificate,
  privateKeyAsRemoteSigner,
} from '#ssh';
import type { HostVerdict } from '../../proxy-task/host-trust.ts';
import { connectTarget, type TargetConnectionOptions } from '../../proxy-task/target-connection.ts';

const hostKey = generatePrivateKey('ed25519');
const authority = generatePrivateKey('ed25519');
const stranger = generatePrivateKey('ed25519');
const line = (key: typeof hostKey) => formatPublicKeyLine(key.publicKey);
const nowMs = 1_800_000_000_000;

/** A server that shows these keys, and what it was told after the key exchange. */
async function serverWith(hostKeys: readonly HostKey[]) {
  const told: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const transport = createTransport(linkFromSocket(adoptConnection(socket)), {
      role: 'server',
      softwareVersion: 'test',
      algorithms: algorithmProfiles.compatible.transport,
      hostKeys,
    });
    transport.ready.catch(() => undefined);
    transport.onMessage = (plain) => told.push(plain[1] ?? 0);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return { told, sockets, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

function certificateBy(signer: typeof hostKey): Promise<Buffer> {
  return mintCertificate(
    {
      kind: 'host',
      publicKey: hostKey.publicKey,
      keyId: 'web-1',
      serial: 1n,
      principals: ['web-1'],
      validAfter: 0n,
      validBefore: 4_000_000_000n,
      nonce: randomBytes(32),
    },
    privateKeyAsRemoteSigner(signer),
  );
}

type Seen = { readonly verdicts: HostVerdict[]; readonly reports: string[]; reads: number };

function optionsFor(
  port: number,
  hostTrust: HostTrust,
  changes: Partial<TargetConnectionOptions> = {},
): { readonly options: TargetConnectionOptions; readonly seen: Seen } {
  const seen: Seen = { verdicts: [], reports: [], reads: 0 };
  const target: Target = { name: 'web-1', host: '127.0.0.1', port, labels: {}, hostTrust };
  return {
    seen,
    options: {
      target,
      login: 'deploy',
      keyId: 'sshtrail:s-1:alice',
      credential: {
        kind: 'password',
        async read() {
          seen.reads += 1;
          return 'secret';
        },
      },
      authority: privateKeyAsRemoteSigner(authority),
      certificateSeconds: 60,
      certificateBackdateSeconds: 30,
      timeoutMs: 5_000,
      softwareVersion: 'test',
      limits: {
        rekeyBytes: 1_073_741_824,
        rekeyIntervalMs: 3_600_000,
        backlogLimitBytes: 16_777_216,
        writeStallMs: 60_000,
      },
      now: () => nowMs,
      randomBytes,
      witness: {
        hostKeyJudged: async (verdict) => void seen.verdicts.push(verdict),
        certificateIssued: async () => undefined,
        authenticated: async () => undefined,
      },
      onBanner: () => undefined,
      report: (text) => seen.reports.push(text),
      signal: new AbortController().signal,
      ...changes,
    },
  };
}

describe('a target whose host key is not the one on record', () => {
  test.each([
    ['is certified by a stranger', stranger, ['web-1'], 'untrusted-authority'],
    ['is certified for another name', authority, ['web-2'], 'principal-not-listed'],
  ])('is told nothing where it %s, and what was expected is said', async (_name, signer, principals, why) => {
    const { port, told } = await serverWith([
      { privateKey: hostKey, certificate: await certificateBy(signer) },
    ]);
    const { options, seen } = optionsFor(port, { kind: 'authority', keys: [line(authority)], principals });

    const connected = await connectTarget(options);

    expect(connected).toEqual({
      ok: false,
      errorCode: 'HostKeyMismatch',
      message: `web-1 shows a host key that no authority on record vouches for: expected a certificate of ${authority.publicKey.fingerprint}, got ${hostKey.publicKey.fingerprint} (ssh-ed25519-cert-v01@openssh.com): its host certificate does not hold: ${why}; do not work around it, tell whoever runs the inventory`,
    });
    expect(seen.verdicts).toMatchObject([{ trusted: false, expected: [authority.publicKey.fingerprint] }]);
    expect(seen.reads).toBe(0);
    expect(told).toEqual([]);
  });

  test('is told nothing where it has no key of the kind on record', async () => {
    const { port, told } = await serverWith([{ privateKey: generatePrivateKey('ecdsa-p256') }]);
    const { options, seen } = optionsFor(port, { kind: 'pinned', keys: [line(hostKey)] });

    const connected = await connectTarget(options);

    expect(connected).toMatchObject({ ok: false, errorCode: 'TargetUnreachable' });
    expect(JSON.stringify(connected)).toContain('its host key may be of another type than the inventory has');
    expect(seen.reads).toBe(0);
    expect(told).toEqual([]);
  });
});

describe('what logs in to a target', () => {
  const trust: HostTrust = { kind: 'pinned', keys: [line(hostKey)] };

  test('is not even read where the host key cannot be put on record, and the target is left', async () => {
    const { port, told, sockets } = await serverWith([{ privateKey: hostKey }]);
    const { options, seen } = optionsFor(port, trust);
    const witness = {
      ...options.witness,
      hostKeyJudged: () => Promise.reject(new Error('the disk is full')),
    };

    await expect(connectTarget({ ...options, witness })).rejects.toThrow('the disk is full');
    await vi.waitFor(() => expect(sockets.size).toBe(0));

    expect(seen.reads).toBe(0);
    expect(told).toEqual([]);
  });

  test('is not used where a certificate permits one command alone', async () => {
    const { port, told } = await serverWith([{ privateKey: hostKey }]);
    const { options, seen } = optionsFor(port, trust, { forceCommand: 'uptime' });

    const connected = await connectTarget(options);

    expect(connected).toMatchObject({ ok: false, errorCode: 'TargetRefused' });
    expect(JSON.stringify(connected)).toContain('permits one command only');
    expect(seen.reads).toBe(0);
    expect(told).toEqual([]);
  });

  test('is no reason to say more to the engineer than that it cannot be read', async () => {
    const { port, told } = await serverWith([{ privateKey: hostKey }]);
    const { options, seen } = optionsFor(port, trust, {
      credential: { kind: 'key', read: () => Promise.reject(new Error('no right to /sshtrail/prod/x')) },
    });

    const connected = await connectTarget(options);

    expect(connected).toEqual({
      ok: false,
      errorCode: 'TargetRefused',
      message: 'the gateway cannot read what logs it in to web-1; tell whoever runs sshtrail',
    });
    expect(seen.reports).toEqual(['the credential for web-1 cannot be read: no right to /sshtrail/prod/x']);
    expect(told).toEqual([]);
  });

  test('is a pushed key only where there is EC2 Instance Connect', async () => {
    const { port } = await serverWith([{ privateKey: hostKey }]);
    const { options } = optionsFor(port, trust);
    const { credential, ...others } = options;
    const instance = { id: 'i-0123456789abcdef0', dial: 'direct', auth: 'instance-connect' } as const;

    const connected = await connectTarget({ ...others, target: { ...options.target, instance } });

    expect(credential).toBeDefined();
    expect(connected).toMatchObject({
      ok: false,
      message: 'web-1 wants EC2 Instance Connect, which this gateway does not have',
    });
  });
});
