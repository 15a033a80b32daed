import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReplyQueue } from '../../../ssh/relay/reply-queue.ts';

const reply = (name: string) => Buffer.from(name);

test('an answer of ours goes out at once where no request waits, also while a question of ours does', () => {
  const queue = new ReplyQueue<object>(2);

  queue.expectOurs();

  expect(queue.answer(reply('now'))).toBe(true);
  expect(queue.settle()).toBe('ours');
  expect(queue.settle()).toBeUndefined();
});

test('an answer of ours waits for the requests before it, not for our own question behind them', () => {
  const queue = new ReplyQueue<object>(8);
  const request = {};
  queue.expect(request);
  queue.expectOurs();
  queue.answer(reply('later'));

  const settled = queue.settle();
  const due = [queue.due(), queue.due()];

  expect(settled).toBe(request);
  expect(due).toEqual([reply('later'), undefined]);
  expect(queue.settle()).toBe('ours');
});

test('our questions take no place of the peer', () => {
  const queue = new ReplyQueue<object>(1);

  for (let question = 0; question < 5; question += 1) queue.expectOurs();
  const before = queue.isFull;
  queue.expect({});

  expect(before).toBe(false);
  expect(queue.isFull).toBe(true);
  expect(queue.ownQuestions).toBe(5);
});

test('answers keep the order of the requests, whatever is asked by whom and whenever it is answered', () => {
  const act = fc.constantFrom('pass', 'refuse', 'ask', 'reply');
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const queue = new ReplyQueue<{ readonly number: number }>(1000);
      const asked: number[] = [];
      const answered: number[] = [];
      /** What the other end has not answered: numbers are requests. */
      const open: (number | 'ours')[] = [];
      const drain = () => {
        for (let due = queue.due(); due !== undefined; due = queue.due())
          answered.push(Number(due.toString()));
      };
      const settle = () => {
        const settled = queue.settle();
        expect(settled === undefined || settled === 'ours' ? settled : settled.number).toBe(open.shift());
        if (settled !== undefined && settled !== 'ours') answered.push(settled.number);
        drain();
      };
      for (const [number, what] of acts.entries()) {
        if (what === 'ask') {
          queue.expectOurs();
          open.push('ours');
        } else if (what === 'reply') settle();
        else {
          asked.push(number);
          if (what === 'pass') {
            queue.expect({ number });
            open.push(number);
          } else if (queue.answer(reply(String(number)))) answered.push(number);
        }
        expect(queue.ownQuestions).toBe(open.filter((each) => each === 'ours').length);
      }

      while (open.length > 0) settle();

      expect(answered).toEqual(asked);
      expect(queue.overdue()).toEqual([]);
    }),
  );
});
