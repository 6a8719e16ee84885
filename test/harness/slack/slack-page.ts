import type { SlackMessage } from './slack-server.js';

type Json = Record<string, unknown>;

const STYLE = `
  body { margin: 0; background: #fff; color: #1d1c1d; font: 15px/1.46 "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
  .message { display: flex; gap: 8px; padding: 12px 20px; }
  .avatar { flex: none; width: 36px; height: 36px; border-radius: 4px; background: #1f6f5c; color: #fff; font-weight: bold; font-size: 18px; line-height: 36px; text-align: center; }
  .name { font-weight: 900; } .app { background: #ebeaeb; color: #616061; font-size: 10px; font-weight: 700; border-radius: 2px; padding: 1px 3px; margin: 0 4px; vertical-align: 1px; }
  .time, .edited { color: #616061; font-size: 12px; } .body { min-width: 0; flex: 1; }
  h1 { font-size: 18px; line-height: 1.33; margin: 4px 0; } .section { margin: 6px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
  .fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 16px; margin: 8px 0; } .fields div { white-space: pre-wrap; overflow-wrap: anywhere; }
  .context { color: #616061; font-size: 12px; margin: 6px 0 0; overflow-wrap: anywhere; }
  code { font: 12px "SFMono-Regular", "DejaVu Sans Mono", "Liberation Mono", monospace; color: #c0143c; background: #f6f6f6; border: 1px solid #ddd; border-radius: 3px; padding: 1px 3px; }
  pre { font: 12px/1.5 "DejaVu Sans Mono", "Liberation Mono", monospace; background: #f6f6f6; border: 1px solid #ddd; border-radius: 4px; padding: 8px; margin: 4px 0 0; white-space: pre-wrap; }
  .dot { display: inline-block; width: 15px; height: 15px; border-radius: 50%; vertical-align: -2px; }
  .mention { background: #fdf2d3; color: #1264a3; border-radius: 3px; padding: 0 2px; }
  .thread { margin-left: 20px; border-left: 3px solid #ddd; }
`;

const DOTS: Readonly<Record<string, string>> = {
  red_circle: '#dd2e44',
  large_orange_circle: '#f4900c',
  large_blue_circle: '#55acee',
  large_green_circle: '#78b159',
};

/** A page that shows messages about as Slack's desktop client does. It loads nothing. */
export function slackPage(messages: readonly SlackMessage[]): string {
  return `<!doctype html><meta charset="utf-8"><title>Slack</title><style>${STYLE}</style>${messages.map(messageHtml).join('')}`;
}

function messageHtml({ blocks, text, threadTs, edits }: SlackMessage): string {
  const body =
    blocks.length > 0 ? blocks.map(blockHtml).join('') : `<div class="section">${mrkdwn(text)}</div>`;
  const edited = edits > 0 && blocks.length === 0 ? ' <span class="edited">(edited)</span>' : '';
  return `<div class="message${threadTs === undefined ? '' : ' thread'}"><div class="avatar">h</div><div class="body"><span class="name">holdfast</span><span class="app">APP</span> <span class="time">10:42</span>${edited}${body}</div></div>`;
}

function blockHtml(block: Json): string {
  switch (block.type) {
    case 'header':
      return `<h1>${textHtml(block.text as Json)}</h1>`;
    case 'section':
      return [
        block.text ? `<div class="section">${textHtml(block.text as Json)}</div>` : '',
        block.fields
          ? `<div class="fields">${(block.fields as Json[]).map((field) => `<div>${textHtml(field)}</div>`).join('')}</div>`
          : '',
      ].join('');
    case 'context':
      return `<div class="context">${(block.elements as Json[]).map(textHtml).join(' ')}</div>`;
    default:
      return '<hr>';
  }
}

function textHtml({ type, text }: Json): string {
  return type === 'mrkdwn' ? mrkdwn(String(text)) : emoji(html(String(text)));
}

/** Slack's markup: fences, code, bold, mentions, and the three entities. */
function mrkdwn(text: string): string {
  return text
    .split(/(```[^]*?```|`[^`\n]+`)/)
    .map((part) => {
      if (part.startsWith('```')) return `<pre>${html(part.slice(3, -3))}</pre>`;
      if (part.startsWith('`') && part.length > 2) return `<code>${html(part.slice(1, -1))}</code>`;
      return emoji(
        part
          .split(/(<[^<>]+>)/)
          .map((piece) =>
            piece.startsWith('<') ? `<span class="mention">${html(piece)}</span>` : html(piece),
          )
          .join('')
          .replace(/(^|[\s(])\*([^*\n]+)\*/g, '$1<b>$2</b>'),
      );
    })
    .join('');
}

/** What Slack shows of a text: its three entities decoded, the rest as it is. */
function html(text: string): string {
  const shown = text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  return shown.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function emoji(text: string): string {
  return text.replace(/:([a-z_]+):/g, (written, name: string) =>
    DOTS[name] ? `<span class="dot" style="background:${DOTS[name]}"></span>` : written,
  );
}
