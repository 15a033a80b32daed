import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** Preloaded (`--import`) into a process, it writes the address of every module that one loads to its file 3, each when it is asked for. */
registerHooks({
  load(url, context, next) {
    writeSync(3, `${url}\n`);
    return next(url, context);
  },
});
