import type { Severity } from '../../finding.js';
import type { Alert, AlertFact } from '../alert.js';
import { code, codeBlock, escapeSlack, SLACK_LIMITS } from './slack-text.js';

/** Text of a block. `verbatim`: Slack makes no links of what looks like one. */
type SlackText =
  | { readonly type: 'plain_text'; readonly text: string; readonly emoji: boolean }
  | { readonly type: 'mrkdwn'; readonly text: string; readonly verbatim: true };

/** The blocks that are used. */
export type SlackBlock =
  | { readonly type: 'header'; readonly text: SlackText }
  | { readonly type: 'section'; readonly text: SlackText }
  | { readonly type: 'section'; readonly fields: readonly SlackText[] }
  | { readonly type: 'context'; readonly elements: readonly SlackText[] };

/** A message: `text` is what notifications and old clients show. */
export interface SlackMessage {
  readonly text: string;
  readonly blocks: readonly SlackBlock[];
}

const SIGN: Readonly<Record<Severity, string>> = {
  critical: ':red_circle:',
  warning: ':large_orange_circle:',
  info: ':large_blue_circle:',
};

/** Names and places are shown as code, where no character means anything. */
const AS_CODE: readonly string[] = ['Where', 'Pool', 'Version'];

const mrkdwn = (text: string): SlackText => ({ type: 'mrkdwn', text, verbatim: true });
const section = (text: string): SlackBlock => ({ type: 'section', text: mrkdwn(text) });

/** The message about an alert, within all limits. */
export function slackMessage(alert: Alert): SlackMessage {
  const { title, summary, advice, statement } = alert;
  const isOver = alert.status === 'resolved';
  const facts = alert.facts.slice(0, 2 * SLACK_LIMITS.fields);
  const blocks: SlackBlock[] = [
    { type: 'header', text: { type: 'plain_text', text: headerOf(alert), emoji: true } },
    section(`*${bold(title)}*`),
    ...(summary === '' ? [] : [section(escapeSlack(summary, SLACK_LIMITS.sectionText))]),
    ...chunks(facts, SLACK_LIMITS.fields).map((some): SlackBlock => ({
      type: 'section',
      fields: some.map(fieldOf),
    })),
    ...(statement === undefined || isOver
      ? []
      : [section(`*Last SQL*\n${codeBlock(statement, SLACK_LIMITS.sectionText - 20)}`)]),
    ...(advice === '' || isOver
      ? []
      : [section(`*Likely fix*\n${escapeSlack(advice, SLACK_LIMITS.sectionText - 20)}`)]),
    { type: 'context', elements: [mrkdwn(`Key ${code(alert.key, SLACK_LIMITS.contextText - 10)}`)] },
  ];
  return { text: fallbackOf(alert), blocks };
}

/** What is threaded below a message; `undefined` where there is nothing more to say. */
export function slackDetails({ details, title }: Alert): SlackMessage | undefined {
  if (details.length === 0) return undefined;
  const blocks: SlackBlock[] = [];
  let part = '';
  for (const line of [...details, undefined]) {
    const isFull = line !== undefined && part.length + line.length > SLACK_LIMITS.sectionText / 2;
    if (part !== '' && (line === undefined || isFull)) {
      blocks.push(section(codeBlock(part, SLACK_LIMITS.sectionText)));
      part = '';
    }
    if (line !== undefined) part += `${part === '' ? '' : '\n'}${line}`;
  }
  return {
    text: escapeSlack(`Details: ${title}`, SLACK_LIMITS.text),
    blocks: blocks.slice(0, SLACK_LIMITS.blocks),
  };
}

function headerOf(alert: Alert): string {
  const where = alert.environment === undefined ? alert.service : `${alert.service} · ${alert.environment}`;
  const what = statusOf(alert);
  return `${signOf(alert)} ${escapeSlack(`${what} · ${where}`, SLACK_LIMITS.headerText - 25)}`;
}

function statusOf({ status, severity, repeat }: Alert): string {
  if (status === 'resolved') return 'Resolved';
  const level = severity === 'info' ? 'Note' : severity === 'warning' ? 'Warning' : 'Critical';
  return repeat > 0 ? `${level}, still there` : level;
}

function signOf({ status, severity }: Alert): string {
  return status === 'resolved' ? ':large_green_circle:' : SIGN[severity];
}

/** `[Critical] 3 connections leaked by … (orders-api · production)`: without markup, for a notification. */
function fallbackOf(alert: Alert): string {
  const where = alert.environment === undefined ? alert.service : `${alert.service} · ${alert.environment}`;
  return escapeSlack(`[${statusOf(alert)}] ${alert.title} (${where})`, 500);
}

function bold(text: string): string {
  return escapeSlack(text.replace(/[*\n]+/g, ' '), SLACK_LIMITS.sectionText - 10);
}

function fieldOf({ label, value }: AlertFact): SlackText {
  const limit = SLACK_LIMITS.fieldText - 60;
  const text = AS_CODE.includes(label) ? code(value, limit) : escapeSlack(value, limit);
  return mrkdwn(`*${escapeSlack(label, 50)}*\n${text}`);
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}
