import 'reflect-metadata';
import { startPostgres } from '../../../test/harness/postgres';
import { BeforeModule } from '../before/before.module.js';
import { AppModule } from '../src/app.module.js';
import { acts, type Act, type Outcome, type Stage } from './acts.js';
import { Database } from './database.js';
import { playLeak } from './leak-act.js';
import { printOutcome, printTitle, say, style } from './print.js';
import { serve } from './serve.js';
import { Service } from './service.js';

export interface DemoOptions {
  readonly serve: boolean;
  readonly port: number;
}

/** Plays every act against both services. Answers the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const postgres = await startPostgres();
  let databases: Database[] = [];
  try {
    databases = [
      await Database.create(postgres.url, 'questions'),
      await Database.create(postgres.url, 'questions_by_hand'),
    ];
    const [ours, byHand] = databases as [Database, Database];
    let broken = 0;
    say(
      'Every act plays against two services on databases of their own: src/ with holdfast, before/ without.',
    );
    say('Each begins with ada having 10 points and one draft.');
    for (const [index, act] of acts.entries()) {
      printTitle(index + 1, act);
      // One after the other: Nest has one logger for all applications of a process.
      const outcomes = [
        await play(act, ours, () => AppModule.on({ url: ours.url, poolSize: act.poolSize })),
        await play(act, byHand, () => BeforeModule.on({ url: byHand.url, poolSize: act.poolSize })),
      ] as const;
      if (!printOutcome(act, ...outcomes)) broken += 1;
    }
    if (!(await playLeak(acts.length + 1, byHand))) broken += 1;
    say();
    say(
      broken === 0
        ? style(['bold', 'green'], `${acts.length + 1} acts, every promise kept.`)
        : style(['bold', 'red'], `${acts.length + 1} acts, ${broken} of them not as promised.`),
    );
    if (options.serve && broken === 0) await serve({ ours, byHand }, options.port);
    return broken === 0 ? 0 : 1;
  } finally {
    await Promise.all(databases.map(({ client }) => client.end()));
    await postgres.stop();
  }
}

/** Starts the service anew, so that what an earlier act has broken is whole again. */
async function play(
  act: Act,
  database: Database,
  module: Parameters<typeof Service.start>[0],
): Promise<Outcome> {
  const service = await Service.start(module);
  const stage: Stage = { service, database };
  await database.reset();
  const client = await act.play(stage);
  const outcome = {
    client,
    holds: await database.holdings(),
    connectionsOut: service.connectionsOut,
    log: [...service.log],
  };
  await service.close();
  return outcome;
}
