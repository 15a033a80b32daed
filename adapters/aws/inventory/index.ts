export { combineInventories, createEc2Inventory, type Ec2InventoryOptions } from './ec2-inventory.ts';
