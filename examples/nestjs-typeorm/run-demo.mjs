// npm run demo: compiles the example and plays it.
import { parseArgs } from 'node:util';
import { compile, root } from './compile.mjs';

const EX_USAGE = 64;
const usage = `Usage: npm run demo [-- options]

  --serve        keep the services up afterwards, until Ctrl-C, and print curl lines for them
  --port <port>  where --serve listens (default 3000, and the next port for the hand-written service);
                 a free port is taken when it is in use
  --help         print this`;

const options = readOptions();
if (options) await run(options);

/** Sets the exit code and answers nothing when there is nothing to run. */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        serve: { type: 'boolean', default: false },
        port: { type: 'string', default: '3000' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(usage);
      return undefined;
    }
    const port = Number(values.port);
    if (!/^\d+$/.test(values.port) || port < 1 || port > 65_534) {
      throw new Error(`--port must be a whole number from 1 to 65534, but is "${values.port}".`);
    }
    return { serve: values.serve, port };
  } catch (error) {
    console.error(`demo: ${error.message}\n\n${usage}`);
    process.exitCode = EX_USAGE;
    return undefined;
  }
}

async function run({ serve, port }) {
  // The harness looks for its PostgreSQL from here.
  process.chdir(root);
  console.log('holdfast demo: a question-and-answer service on NestJS, TypeORM and a real PostgreSQL.');
  compile();
  const { runDemo } = await import('./dist/examples/nestjs-typeorm/demo/main.js');
  process.exitCode = await runDemo({ serve, port });
}
