import { shorten } from '../plain-text.js';

/** Slack's documented limits (https://docs.slack.dev/reference/block-kit/blocks). */
export const SLACK_LIMITS = {
  blocks: 50,
  sectionText: 3000,
  headerText: 150,
  fields: 10,
  fieldText: 2000,
  contextElements: 10,
  contextText: 2000,
  /** Slack cuts a message's `text` at 40,000 characters and asks for at most 4,000. */
  text: 4000,
} as const;

/**
 * Text that Slack shows as it is: no mention, no link, no entity, no fence. Cut before it is escaped: no half entity.
 */
export function escapeSlack(text: string, limit: number): string {
  let cut = shorten(text.replaceAll('```', "'''"), limit);
  let escaped = escape(cut);
  while (escaped.length > limit) {
    cut = shorten(cut, Math.max(1, cut.length - Math.ceil((escaped.length - limit) / 4)));
    escaped = escape(cut);
  }
  return escaped;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** A block of code. */
export function codeBlock(text: string, limit: number): string {
  return `\`\`\`${escapeSlack(text, limit - 6)}\`\`\``;
}

/** A word or two of code inside a line. */
export function code(text: string, limit: number): string {
  const line = text.replace(/[`\n]+/g, "'");
  return line === '' ? '' : `\`${escapeSlack(line, limit - 2)}\``;
}
