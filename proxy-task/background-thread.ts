import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Lets the calling thread run only where the relay leaves processor time: what is recorded and hashed may come later, a keystroke may not.
 * Linux has a priority for each thread; elsewhere there is nothing to set, and this does nothing.
 */
export function runInBackground(): void {
  if (process.platform !== 'linux') return;
  try {
    // "<process>/task/<thread>", see proc_thread-self(5). Linux's setpriority(2) takes a thread's number for a process's.
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Without /proc, or where a sandbox forbids it, the thread keeps the priority of its process.
  }
}
