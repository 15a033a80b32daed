/** Which leg of the relay: `client` is the engineer's connection, `target` the one we opened. */
export type Side = 'client' | 'target';

/** RFC 4254 §5.1 SSH_MSG_CHANNEL_OPEN as it arrived. */
export type ChannelOpen = {
  readonly from: Side;
  readonly type: string;
  readonly senderChannel: number;
  readonly initialWindow: number;
  readonly maximumPacket: number;
  /** Decoded type-specific data; `unknown` keeps the bytes. */
  readonly detail: ChannelOpenDetail;
};

export type ChannelOpenDetail =
  | { readonly kind: 'session' }
  | {
      readonly kind: 'direct-tcpip';
      readonly host: string;
      readonly port: number;
      readonly originHost: string;
      readonly originPort: number;
    }
  | {
      readonly kind: 'forwarded-tcpip';
      readonly host: string;
      readonly port: number;
      readonly originHost: string;
      readonly originPort: number;
    }
  | { readonly kind: 'direct-streamlocal'; readonly path: string }
  | { readonly kind: 'forwarded-streamlocal'; readonly path: string }
  | { readonly kind: 'auth-agent' }
  | { readonly kind: 'x11'; readonly originHost: string; readonly originPort: number }
  | { readonly kind: 'unknown'; readonly data: Buffer };

/** RFC 4254 §5.4, §6 SSH_MSG_CHANNEL_REQUEST as it arrived. */
export type ChannelRequest = {
  readonly from: Side;
  readonly type: string;
  readonly wantReply: boolean;
  readonly detail: ChannelRequestDetail;
};

export type ChannelRequestDetail =
  | { readonly kind: 'pty-req'; readonly term: string; readonly columns: number; readonly rows: number }
  | { readonly kind: 'window-change'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'env'; readonly name: string; readonly value: Buffer }
  | { readonly kind: 'shell' }
  | { readonly kind: 'exec'; readonly command: Buffer }
  | { readonly kind: 'subsystem'; readonly name: string }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'exit-status'; readonly status: number }
  | {
      readonly kind: 'exit-signal';
      readonly signal: string;
      readonly coreDumped: boolean;
      readonly message: string;
    }
  | { readonly kind: 'x11-req' }
  | { readonly kind: 'auth-agent-req' }
  | { readonly kind: 'other'; readonly data: Buffer };

/** RFC 4254 §4 SSH_MSG_GLOBAL_REQUEST as it arrived. */
export type GlobalRequest = {
  readonly from: Side;
  readonly type: string;
  readonly wantReply: boolean;
  readonly detail: GlobalRequestDetail;
};

export type GlobalRequestDetail =
  | { readonly kind: 'tcpip-forward' | 'cancel-tcpip-forward'; readonly host: string; readonly port: number }
  | { readonly kind: 'streamlocal-forward' | 'cancel-streamlocal-forward'; readonly path: string }
  | { readonly kind: 'no-more-sessions' }
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'other'; readonly data: Buffer };
