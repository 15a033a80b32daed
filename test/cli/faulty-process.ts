/** Loaded in front of a program that is to be tested: a signal plants a fault that nobody catches. */
process.on('SIGUSR2', () => {
  throw new Error('planted exception');
});
process.on('SIGPIPE', () => {
  void Promise.reject(new Error('planted rejection'));
});
