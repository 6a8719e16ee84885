// Runs the program, as it is installed in the folder of the argument, once for each message: what costs most of a run is the start of
// Node. Whoever wants to see a process of its own, its signals or its end, starts one (Project.start).
const { join } = require('node:path');
const { Readable, Writable } = require('node:stream');

const [, , installed] = process.argv;
const { runProgram } = require(join(installed, 'dist/cjs/cli/program.js'));
const { version } = require(join(installed, 'package.json'));

class Written extends Writable {
  text = '';

  constructor() {
    super({ decodeStrings: false });
  }

  _write(chunk, encoding, done) {
    this.text += chunk;
    done();
  }
}

process.on('message', async ({ id, argv, env, cwd }) => {
  const [stdout, stderr] = [new Written(), new Written()];
  const host = { env, cwd, stdin: Readable.from([]), stdout, stderr };
  const exitCode = await runProgram({ name: 'holdfast', version, argv }, host);
  process.send({ id, ended: { exitCode, stdout: stdout.text, stderr: stderr.text } });
});
process.once('disconnect', () => process.exit());
