export { createEventBusSink } from './event-bus-sink.ts';
export { NoticeError, type NoticeErrorCode } from './notice-error.ts';
export { createSnsNotifier } from './sns-notifier.ts';
