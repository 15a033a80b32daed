import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { Notice, Notifier } from '#core/contract';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';
import { NoticeError } from './notice-error.ts';

export type SnsNotifierOptions = {
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

/** Publishes notices to a topic; severity and runbook are message attributes, for filters. @throws NoticeError `not-published` */
export function createSnsNotifier({ client, topicArn, deployment }: SnsNotifierOptions): Notifier {
  return {
    async notify(notice) {
      try {
        await attempt(limits, (abortSignal) =>
          client.send(
            new PublishCommand({
              TopicArn: topicArn,
              Subject: subjectOf(notice, deployment),
              Message: textOf(notice, deployment),
              MessageAttributes: {
                severity: { DataType: 'String', StringValue: notice.severity },
                ...(notice.runbookId === undefined
                  ? {}
                  : { runbookId: { DataType: 'String', StringValue: notice.runbookId } }),
              },
            }),
            { abortSignal },
          ),
        );
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
  return `[${deployment}] ${severity}: ${title}`.replace(/[^\x20-\x7e]/g, '?').slice(0, maxSubject);
}

function textOf(notice: Notice, deployment: string): string {
  const lines = [notice.text, '', `deployment: ${deployment}`, `severity: ${notice.severity}`];
  if (notice.runbookId !== undefined) lines.push(`runbook: ${notice.runbookId}`);
  if (notice.findingKey !== undefined) lines.push(`finding: ${notice.findingKey}`);
  // Line feeds are ours or the runbook's; every other control character may be somebody else's.
  const text = lines.join('\n').replace(/[^\P{Cc}\n]/gu, '?');
  return Buffer.from(text).subarray(0, maxTextBytes).toString('utf8');
}
