export { createStaticInventory, InventoryError, type InventoryErrorCode } from './static-inventory.ts';
