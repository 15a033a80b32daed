export { ControlStoreError, type ControlStoreErrorCode } from './control-store-error.ts';
export {
  isControlId,
  readControlItem,
  type StoredControlItem,
  type WritableControlItem,
  writableControlItem,
} from './stored-item.ts';
