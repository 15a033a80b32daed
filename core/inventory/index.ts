export { passwordIn } from './password-in.ts';
export { createStaticInventory, InventoryError, type InventoryErrorCode } from './static-inventory.ts';
