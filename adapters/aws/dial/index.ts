export { DialError, type DialErrorCode, type PushRefusal } from './dial-error.ts';
export { pushInstanceConnectKey } from './instance-connect.ts';
export { openSsmDial } from './ssm-dial.ts';
