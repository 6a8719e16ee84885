import { BeforeModule } from '../before/before.module.js';
import { AppModule } from '../src/app.module.js';
import type { Database } from './database.js';
import { say, style } from './print.js';
import { Service } from './service.js';

/** Keeps both services up, on the given port and the next, or on free ones; resolves after Ctrl-C. */
export async function serve(databases: { ours: Database; byHand: Database }, port: number): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  const { ours, byHand } = databases;
  const onLog = (line: string): void => say(style('dim', `  log  ${line}`));
  const services = [
    await Service.start(() => AppModule.on({ url: ours.url, poolSize: 10 }), { port, onLog }),
    await Service.start(() => BeforeModule.on({ url: byHand.url, poolSize: 10 }), { port: port + 1, onLog }),
  ];
  await Promise.all([ours.reset(), byHand.reset()]);
  printCurl(services as [Service, Service]);
  await stopped;
  say('Stopping.');
  await Promise.all(services.map((service) => service.close()));
}

function printCurl([ours, byHand]: [Service, Service]): void {
  const post = (url: string, question: object): string =>
    `curl -s ${url}/questions -H 'content-type: application/json' -d '${JSON.stringify(question)}'`;
  say();
  say(
    `The service runs at ${style('bold', ours.url)}, the hand-written one at ${style('bold', byHand.url)}.`,
  );
  say('Ada is user 1 and has draft 1. Try, on either:');
  say();
  say(post(ours.url, { authorId: 1, title: 'May I?', draftId: 1 }));
  say(post(ours.url, { authorId: 1, title: 'No draft?', draftId: 99 }));
  say(post(ours.url, { authorId: 1, title: 'What is a lease?' }));
  say(`curl -s ${ours.url}/questions`);
  say(`curl -s ${ours.url}/users/1`);
  say(post(byHand.url, { authorId: 1, title: 'No draft?', draftId: 99 }));
  say(`curl -s ${byHand.url}/users/1`);
  say();
  say('Ctrl-C ends it.');
}
