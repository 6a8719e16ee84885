import { useProjects } from './project.js';

const project = useProjects();

const { version } = jest.requireActual<{ version: string }>('../../package.json');

test.each(['--version', '-V'])('%s alone prints the version', async (flag) => {
  // The process itself looks for its package.
  const { ended } = project().start([flag]);

  expect(await ended).toMatchObject({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
});

// Taken as the program's own, it would end with exit code 0 what somebody believes to have run.
test.each([
  [['baseline', '--version', '3'], /holdfast baseline 3|migrate baseline 3/],
  [['--version', 'baseline', '3'], /holdfast baseline 3|migrate baseline 3/],
  [['baseline', '--version=3'], /--version .* goes with no command[^]*(?:holdfast|migrate) baseline 3\n/],
  [['up', '-V'], /--version .* goes with no command; nothing was done/],
])('%j is refused, and nothing is done', async (args, message) => {
  const { exitCode, stdout, stderr } = await project().run(args);

  expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: '' });
  expect(stderr).toMatch(message);
});

test('an unknown command is told as before', async () => {
  expect(await project().run(['--version', 'nothing'])).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining('nothing'),
  });
});
