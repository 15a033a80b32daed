import * as serializeModule from '@xterm/addon-serialize';
import * as unicode11Module from '@xterm/addon-unicode11';

/** The emulator's addons, whose exports Node shows as the default of a CommonJS module and bundlers by their names. */
export const { SerializeAddon } = exportsOf(serializeModule);
export const { Unicode11Addon } = exportsOf(unicode11Module);

function exportsOf<Exports extends object>(module: Exports): Exports {
  const inner: unknown = Reflect.get(module, 'default');
  return isLike(module, inner) ? inner : module;
}

function isLike<Exports extends object>(_module: Exports, inner: unknown): inner is Exports {
  return typeof inner === 'object' && inner !== null;
}
