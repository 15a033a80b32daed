export { closestName } from './closest-name.ts';
export { printable } from './printable.ts';
