export {
  ChainError,
  type ChainedRecord,
  type ChainPosition,
  genesisHash,
  type LineFault,
  type LinkedRecord,
  link,
  verifyLine,
} from './record-line.ts';
