import { UnexpectedRollbackError } from 'holdfast';
import { codeOf, errorChain } from '../../src/core/index.js';

const coded = (code: unknown, details: object = {}): Error =>
  Object.assign(new Error('x'), { code, ...details });
const state = coded('40001');

test.each<[string, unknown, readonly (string | undefined)[]]>([
  ['a driver’s error', state, ['40001']],
  ['TypeORM’s QueryFailedError', coded('40001', { driverError: state }), ['40001', '40001']],
  [
    'Prisma’s PrismaClientKnownRequestError',
    coded('P2034', { meta: { driverAdapterError: new Error('x', { cause: { originalCode: '40001' } }) } }),
    ['P2034', undefined, '40001'],
  ],
  ['an error with a cause', new Error('x', { cause: state }), [undefined, '40001']],
  ['one of ours', new UnexpectedRollbackError('x', { cause: state }), ['UNEXPECTED_ROLLBACK', '40001']],
  [
    'wrappers with codes of their own',
    coded('E1234', { cause: coded('ABORT', { cause: state }) }),
    ['E1234', 'ABORT', '40001'],
  ],
  [
    'an AggregateError, all of its errors before what led to them',
    new AggregateError([coded('E1', { cause: state }), coded('23505')]),
    [undefined, 'E1', '23505', '40001'],
  ],
  ['a code that is a number', { code: 40001 }, [undefined]],
  ['undefined', undefined, []],
  ['null', null, []],
  ['a string', '40001', []],
])('the codes along the chain of %s', (_, thrown, codes) => {
  expect(errorChain(thrown).map(codeOf)).toEqual(codes);
});

test('a chain that leads back to itself ends', () => {
  const error: { cause?: unknown } = new Error('x');
  error.cause = new AggregateError([error]);
  expect(errorChain(error)).toEqual([error, error.cause]);
});

test('a chain without an end is followed for a while', () => {
  const endless = (): object => ({
    get cause() {
      return endless();
    },
  });
  expect(errorChain(endless())).toHaveLength(20);
});

test('a member that cannot be read leads nowhere', () => {
  const broken = {
    get cause(): never {
      throw new Error('no');
    },
    get code(): never {
      throw new Error('no');
    },
  };
  expect(errorChain(broken).map(codeOf)).toEqual([undefined]);
});
