export { type CounterVerdict, judgeCounter } from './judge-counter.ts';
