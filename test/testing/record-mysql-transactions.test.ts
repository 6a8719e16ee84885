import { runInTransaction } from 'holdfast';
import { recordTransactions } from 'holdfast/testing';

describe('in place of a pool of', () => {
  const answer = ({ text }: { readonly text: string }): object => {
    if (text === 'FAIL') throw Object.assign(new Error('no such column'), { code: 'ER_BAD_FIELD_ERROR' });
    if (text === 'DEADLOCK') throw Object.assign(new Error('deadlock'), { code: 'ER_LOCK_DEADLOCK' });
    return text.startsWith('SELECT') ? [{ amount: 3 }] : { affectedRows: 1, insertId: 7 };
  };
  const start = {
    mysql2() {
      const { pool, ...rest } = recordTransactions({ driver: 'mysql2', dataSource: 'mysql', answer });
      return {
        ...rest,
        query: async (sql: string) => (await pool.query(sql))[0],
        async onConnection(sql: string) {
          const connection = await pool.getConnection();
          const [result] = await connection.execute({ sql, values: ['pen'] });
          connection.release();
          return result;
        },
        connect: () => pool.getConnection(),
      };
    },
    mariadb() {
      const { pool, ...rest } = recordTransactions({ driver: 'mariadb', dataSource: 'mysql', answer });
      return {
        ...rest,
        query: (sql: string) => pool.query(sql),
        async onConnection(sql: string) {
          const connection = await pool.getConnection();
          const result = await connection.execute(sql, ['pen']);
          await connection.release();
          return result;
        },
        connect: () => pool.getConnection(),
      };
    },
  };
  const inMysql = <T>(work: () => Promise<T>, retry?: { attempts: number; backoffMs: number }): Promise<T> =>
    runInTransaction(work, { dataSource: 'mysql', name: 'work', ...(retry && { retry }) });

  describe.each(Object.entries(start))('%s', (_, open) => {
    let source: ReturnType<typeof open>;
    beforeEach(() => {
      source = open();
    });
    afterEach(() => source.stop());
    const steps = (): string[] =>
      source.steps.map((step) => (step.step === 'statement' ? step.text : step.step));

    test('it is asked, and answers, as the driver does', async () => {
      const answers = await inMysql(async () => [
        await source.query('SELECT amount'),
        await source.onConnection('INSERT pen'),
      ]);

      expect(answers).toEqual([[{ amount: 3 }], { affectedRows: 1, insertId: 7 }]);
      expect(source.steps.slice(1, -1)).toEqual([
        { step: 'statement', text: 'SELECT amount', values: [] },
        { step: 'statement', text: 'INSERT pen', values: ['pen'] },
      ]);
    });

    test('a connection begins, commits and rolls back, inside a transaction as a savepoint', async () => {
      const onConnection = async (end: 'commit' | 'rollback'): Promise<void> => {
        const connection = await source.connect();
        await connection.beginTransaction();
        await connection.query('INSERT pen');
        await connection[end]();
        await connection.release();
      };
      await inMysql(async () => {
        await onConnection('rollback');
        await onConnection('commit');
      });
      expect(steps()).toEqual(['begin', 'INSERT pen', 'INSERT pen', 'commit']);
      source.clear();

      await onConnection('commit');
      expect(steps()).toEqual(['START TRANSACTION', 'INSERT pen', 'COMMIT']);
    });

    test('a COMMIT that would end the transaction of the method is refused, as in the application', async () => {
      const commits = inMysql(async () => {
        const connection = await source.connect();
        await connection.commit();
      });

      await expect(commits).rejects.toMatchObject({
        code: 'TRANSACTION_CONTROL',
        message: expect.stringContaining('COMMIT without a START TRANSACTION'),
      });
      expect(steps()).toEqual(['begin', 'rollback']);
    });

    test.each(['CREATE TABLE pen (id INT)', '/* all */ TRUNCATE TABLE pen', 'LOCK TABLES pen WRITE'])(
      '%s is refused in a transaction, as in the application, and answered outside',
      async (sql) => {
        for (const ask of [source.query, source.onConnection]) {
          source.clear();
          await expect(inMysql(() => ask(sql))).rejects.toMatchObject({
            code: 'TRANSACTION_CONTROL',
            message: expect.stringContaining('was not sent'),
          });
          expect(steps()).toEqual(['begin', 'rollback']);
        }
        source.clear();

        await source.query(sql);
        expect(steps()).toEqual([sql]);
      },
    );

    test('with allowImplicitCommit DDL is answered, and what comes after it is in a transaction again', async () => {
      await runInTransaction(
        async () => {
          await source.query('INSERT pen');
          await source.query('CREATE TABLE pen (id INT)');
          await source.query('INSERT pen');
        },
        { dataSource: 'mysql', name: 'work', allowImplicitCommit: true },
      );

      expect(steps()).toEqual(['begin', 'INSERT pen', 'CREATE TABLE pen (id INT)', 'INSERT pen', 'commit']);
    });

    test('a connection that is used in a NESTED method belongs to that one', async () => {
      await inMysql(async () => {
        const connection = await source.connect();
        await connection.query('INSERT pen');
        const nested = runInTransaction(
          async () => {
            await connection.query('INSERT pen');
            throw new Error('none left');
          },
          { dataSource: 'mysql', propagation: 'NESTED', name: 'inner' },
        );
        await expect(nested).rejects.toThrow('none left');
      });

      expect(steps()).toEqual([
        'begin',
        'INSERT pen',
        'savepoint',
        'INSERT pen',
        'rollback to savepoint',
        'commit',
      ]);
    });

    test('a statement that fails, and is swallowed, is undone alone, as on MySQL', async () => {
      await inMysql(async () => {
        await source.query('FAIL').catch(() => undefined);
        await source.query('INSERT pen');
      });

      expect(steps()).toEqual(['begin', 'FAIL', 'INSERT pen', 'commit']);
    });

    test('a deadlock that is swallowed has rolled the transaction back', async () => {
      const swallows = inMysql(() => source.query('DEADLOCK').catch(() => undefined));

      await expect(swallows).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
      expect(steps()).toEqual(['begin', 'DEADLOCK', 'rollback']);
    });

    test('an attempt that a deadlock ended is run again', async () => {
      let runs = 0;
      const work = async (): Promise<unknown> => source.query(++runs === 1 ? 'DEADLOCK' : 'INSERT pen');
      await inMysql(work, { attempts: 2, backoffMs: 1 });

      expect(steps()).toEqual(['begin', 'DEADLOCK', 'rollback', 'begin', 'INSERT pen', 'commit']);
    });
  });
});
