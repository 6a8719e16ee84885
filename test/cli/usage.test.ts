import { useProjects } from './project.js';

const project = useProjects();

describe('wrong usage is exit code 64 and says what is right', () => {
  test.each([
    [['upp'], /unknown command 'upp'\n\(Did you mean up\?\)/],
    [['up', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    [[], /No command was given/],
    [['help', 'statu'], /unknown command 'statu'\n\(Did you mean status\?\)/],
    [['help', 'nope'], /unknown command 'nope'\nCommands and options/],
    [['up', '--step', '0'], /--step must be a whole number from 1 on, but is "0"/],
    [['up', 'V1'], /too many arguments/],
    [['up'], /No database is named\. Set DATABASE_URL/],
    [
      ['adopt', '--url', 'postgres://a/b'],
      /adopt needs --from, one of flyway, prisma, typeorm, umzug, dbmate/,
    ],
    [['adopt', '--url', 'postgres://a/b', '--from', 'knex'], /--from must be one of .*, but is "knex"/],
    [['create'], /missing required argument 'name'/],
    [['up', '--url', 'oracle://a/b'], /The database url must begin/],
  ])('%j', async (args, message) => {
    const at = project();
    const { exitCode, stdout, stderr } = await at.run(args);

    expect(stderr).toMatch(message);
    expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: '' });
    const asJson = await at.json(args);
    expect(asJson).toMatchObject({ exitCode: 64, stderr: '', last: { kind: 'error', exitCode: 64 } });
    expect(asJson.last['message']).toMatch(message);
  });
});

test.each([['--help'], ['up', '--help'], ['help', 'status'], ['--version']])(
  '%s %s is exit code 0',
  async (...args) => {
    const { exitCode, stdout, stderr } = await project().run(args);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).not.toBe('');
  },
);
