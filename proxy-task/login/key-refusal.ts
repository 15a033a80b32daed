/** Why a signature that verified was refused; a closed list. */
export type KeyRefusal =
  | 'source-not-allowed'
  | 'security-key-not-touched'
  | 'security-key-user-not-verified'
  | 'security-key-counter-repeated'
  | 'security-key-counter-behind'
  | 'security-key-counter-busy';

export const keyRefusalMessages: Readonly<Record<KeyRefusal, string>> = {
  'source-not-allowed':
    'the key is good from the addresses under sources alone, and was used from another: replace it unless somebody can say why',
  'security-key-not-touched':
    'the security key was not touched; use a key made without no-touch-required, or a certificate that allows it',
  'security-key-user-not-verified':
    'the certificate wants a PIN or fingerprint, and the key vouched for none; make the key with ssh-keygen -O verify-required',
  'security-key-counter-repeated':
    'the key signed with a counter that came before: there may be a copy of it; end its sessions and register another key',
  'security-key-counter-behind':
    'the key signed with a counter far below its highest: there may be a copy of it; end its sessions and register another key',
  'security-key-counter-busy': 'the counter of the key changed all the time; try again',
};
