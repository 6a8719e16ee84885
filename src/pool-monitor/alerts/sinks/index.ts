export { functionSink } from './function.js';
export { pinoSink } from './pino.js';
export type { SinkOptions } from './sink-options.js';
export { slackBot } from './slack-bot.js';
export type { SlackBotOptions } from './slack-bot.js';
export { slackWebhook } from './slack-webhook.js';
export type { SlackWebhookOptions } from './slack-webhook.js';
export { webhook } from './webhook.js';
export type { WebhookOptions } from './webhook.js';
