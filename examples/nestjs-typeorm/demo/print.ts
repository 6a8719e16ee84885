import { styleText } from 'node:util';
import type { Act, Outcome } from './acts.js';

const WIDTH = 88;
const LABEL = 22;
const COLUMN = 33;

type Style = Parameters<typeof styleText>[0];

export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

export function style(format: Style, text: string): string {
  return process.stdout.isTTY && !process.env['NO_COLOR'] ? styleText(format, text) : text;
}

export function printHeading(number: number, text: string): void {
  say();
  const title = `${number}  ${text} `;
  say(style('bold', title) + style('dim', '─'.repeat(WIDTH - title.length)));
}

export function printTitle(number: number, act: Act): void {
  printHeading(number, act.title);
  for (const line of wrap(act.story, WIDTH - 3)) say(`   ${line}`);
  say();
  for (const line of wrap(`POST /questions  ${act.request}`, WIDTH - 3)) say(`   ${style('dim', line)}`);
  say();
}

/** Answers whether both services came out as the act says. */
export function printOutcome(act: Act, ours: Outcome, byHand: Outcome): boolean {
  row(['', '@Transactional()', 'QueryRunner by hand'], 'dim');
  for (let index = 0; index < ours.client.length; index++) {
    compare(index === 0 ? 'the client saw' : '', ours.client[index]!, byHand.client[index]!);
  }
  compare("ada's questions", ours.holds.questions, byHand.holds.questions);
  compare("ada's points", ours.holds.points, byHand.holds.points);
  compare('points by the history', ours.holds.history, byHand.holds.history);
  compare("ada's drafts", ours.holds.drafts, byHand.holds.drafts);
  compare('connections lost', ours.connectionsOut, byHand.connectionsOut);
  say();
  const line = act.logLine && ours.log.find(act.logLine);
  if (line) {
    paragraph(' log', line, 'dim');
    say();
  }
  return verdicts(act, ours, byHand);
}

function verdicts(act: Act, ours: Outcome, byHand: Outcome): boolean {
  const kept = act.kept(ours);
  const asTold = act.asTold(byHand);
  if (kept) paragraph(' ✓', `holdfast: ${act.promise}`, 'green');
  else paragraph(' ✗', `BROKEN PROMISE. Expected of holdfast: ${act.promise}`, 'red');
  const same = ours.client[0] === byHand.client[0] && byHand.connectionsOut === 0;
  if (!asTold) paragraph(' ✗', `NOT AS TOLD. Expected by hand: ${act.byHand}`, 'red');
  else paragraph(same ? ' ✓' : ' ✗', `by hand:  ${act.byHand}`, same ? 'green' : 'red');
  return kept && asTold;
}

function compare(label: string, ours: string | number, byHand: string | number): void {
  row([label, String(ours), String(byHand)], ours === byHand ? undefined : 'red');
}

function row([label, ours, byHand]: [string, string, string], last: Style | undefined): void {
  const left = wrap(ours, COLUMN - 2);
  const right = wrap(byHand, COLUMN - 2);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const cell = right[index] ?? '';
    say(
      `   ${(index === 0 ? label : '').padEnd(LABEL)}${(left[index] ?? '').padEnd(COLUMN)}${last ? style(last, cell) : cell}`,
    );
  }
}

export function paragraph(mark: string, text: string, format: Style = 'reset'): void {
  const indent = 5;
  wrap(text, WIDTH - indent).forEach((line, index) =>
    say(
      `${style(format, (index === 0 ? mark : '').padEnd(indent))}${format === 'dim' ? style(format, line) : line}`,
    ),
  );
}

export function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  return lines;
}
