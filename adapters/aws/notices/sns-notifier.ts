import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { Notice, Notifier } from '#core/contract';
import { printable } from '#core/wording';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';
import { NoticeError } from './notice-error.ts';

export type SnsNotifierOptions = {
  /** Best with `maxAttempts: 1`: calls are repeated here. */
  readonly client: SNSClient;
  readonly topicArn: string;
  /** Name of the deployment, for people who have several. */
  readonly deployment: string;
};

const limits: AttemptLimits = { deadlineMs: 10_000, attemptMs: 4_000 };
/** SNS takes ASCII without line breaks. */
const maxSubject = 100;
/** Of 256 KiB with the attributes. */
const maxTextBytes = 200 * 1024;

/**
 * Publishes notices to a topic; severity and runbook are message attributes, for filters. A notice whose answer was lost is published
 * twice. @throws NoticeError `not-published`
 */
export function createSnsNotifier({ client, topicArn, deployment }: SnsNotifierOptions): Notifier {
  return {
    async notify(notice) {
      const { severity, runbookId = '' } = notice;
      const message = new PublishCommand({
        TopicArn: topicArn,
        Subject: subjectOf(notice, deployment),
        Message: textOf(notice, deployment),
        MessageAttributes: {
          severity: { DataType: 'String', StringValue: severity },
          // SNS takes no empty attribute.
          ...(runbookId === ''
            ? {}
            : { runbookId: { DataType: 'String', StringValue: printable(runbookId) } }),
        },
      });
      try {
        await attempt(limits, (abortSignal) => client.send(message, { abortSignal }));
      } catch (cause) {
        throw new NoticeError(
          'not-published',
          `the notice could not be published to ${topicArn}: ${awsFaultWords('SNS', 'sns:Publish', cause)}`,
          { cause },
        );
      }
    },
  };
}

function subjectOf({ severity, title }: Notice, deployment: string): string {
  const subject = `[${deployment}] ${severity}: ${title}`.replace(/[^\x20-\x7e]/gu, '?');
  return subject.length <= maxSubject ? subject : `${subject.slice(0, maxSubject - 3)}...`;
}

function textOf({ title, text, severity, runbookId, findingKey }: Notice, deployment: string): string {
  const facts = [`deployment: ${deployment}`, `severity: ${severity}`];
  if (runbookId !== undefined) facts.push(`runbook: ${runbookId}`);
  if (findingKey !== undefined) facts.push(`finding: ${findingKey}`);
  const end = `\n\n${facts.map(printable).join('\n')}\n`;
  return cut(`${printable(title)}\n\n${lines(text)}`, maxTextBytes - Buffer.byteLength(end)) + end;
}

/** Line breaks are the runbook's or ours; every other character that does not print may be somebody else's. */
function lines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => printable(line))
    .join('\n');
}

function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const rest = '\n(cut off here; the finding has all of it)';
  // A decoder that waits for more leaves out a character that the cut went through.
  const kept = new TextDecoder().decode(bytes.subarray(0, maxBytes - rest.length), { stream: true });
  return kept + rest;
}
