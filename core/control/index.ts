export { toldDataSchemas } from './control-data-schema.ts';
export { ControlStoreError, type ControlStoreErrorCode } from './control-store-error.ts';
export {
  isControlId,
  readControlItem,
  type StoredControlItem,
  type WritableControlItem,
  writableControlItem,
} from './stored-item.ts';
