import { setLogger } from 'holdfast';
import type { Logger } from 'holdfast';
import { getLogger } from '../../src/core/index.js';

const logger = (): jest.Mocked<Logger> => ({
  debug: jest.fn(),
  info: jest.fn(),
  warn: jest.fn(),
  error: jest.fn(),
});
afterEach(() => setLogger(undefined));

test.each(['debug', 'info', 'warn', 'error'] as const)('%s goes to the logger that was set', (level) => {
  const mine = logger();
  setLogger(mine);
  getLogger()[level]({ a: 1 }, 'said');
  expect(mine[level].mock.calls).toEqual([[{ a: 1 }, 'said']]);
});

test('the logger that was set last is used, by those too who asked for theirs before', () => {
  const [first, second] = [logger(), logger()];
  setLogger(first);
  const asked = getLogger();
  setLogger(second);
  asked.warn({}, 'said');
  expect(first.warn).not.toHaveBeenCalled();
  expect(second.warn).toHaveBeenCalledTimes(1);
});

test('it is called as a method: a logger with state of its own works', () => {
  class Counting implements Logger {
    count = 0;
    debug(): void {
      this.count++;
    }
    info = this.debug;
    warn = this.debug;
    error = this.debug;
  }
  const counting = new Counting();
  setLogger(counting);
  getLogger().debug({}, 'said');
  expect(counting.count).toBe(1);
});

test('a logger that throws disturbs nobody', () => {
  const throwing = logger();
  throwing.error.mockImplementation(() => {
    throw new Error('the disk is full');
  });
  setLogger(throwing);
  expect(() => getLogger().error({}, 'said')).not.toThrow();
  expect(throwing.error).toHaveBeenCalledTimes(1);
});

test.each([null, 'pino', {}, { ...logger(), warn: undefined }, console.log])(
  'what is no logger is refused: %p',
  (value) => {
    const mine = logger();
    setLogger(mine);
    expect(() => setLogger(value as unknown as Logger)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringContaining('a pino-shaped logger'),
      }),
    );
    getLogger().info({}, 'said');
    expect(mine.info).toHaveBeenCalledTimes(1);
  },
);

test('console is a logger', () => {
  expect(() => setLogger(console)).not.toThrow();
});
