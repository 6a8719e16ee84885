/** The parts of jest-circus's state that are used. jest 28, 29 and 30 have them alike. */
interface CircusState {
  readonly currentDescribeBlock: DescribeBlock;
  readonly maxConcurrency: number;
  hasStarted: boolean;
}

interface DescribeBlock {
  readonly children: readonly (DescribeBlock | CircusTest)[];
  readonly hooks: object[];
}

interface CircusTest {
  readonly name: string;
  readonly concurrent: boolean;
  fn: () => unknown;
}

/** What is said of a jest. */
interface Refusals {
  /** Of a test that it runs without hooks. */
  readonly concurrent: (test: string) => Error;
  /** Of one that does not show what it will run. */
  readonly unobserved: (why: string) => Error;
}

/**
 * Registers an afterEach hook, and sees to two things that jest does and other runners do not. It runs `test.concurrent`
 * without beforeEach hooks, so nothing could be done for it: each such test of the block fails instead of running. And
 * it runs afterEach hooks in the order of their registration: those of the block that come after this one would do their work
 * after it, so it is made the last. Throws under a jest that does not let itself be observed. Without jest it only registers.
 */
export function registerLast(register: () => void, { concurrent, unobserved }: Refusals): void {
  const states = circusStates();
  if (states.length === 0 && isJest()) throw unobserved(UNOBSERVED);
  // Of several copies of jest-circus in a test file one runs it: that which the hook comes to.
  const before = states.map((state) => {
    const block = state.currentDescribeBlock;
    return { state, block, count: block.hooks.length };
  });
  register();
  for (const { state, block, count } of before) {
    const own = block.hooks.slice(count);
    if (own.length === 0) continue;
    onStart(state, () => {
      for (const test of concurrentTests(block)) {
        test.fn = () => {
          throw concurrent(test.name);
        };
      }
      for (const hook of own) block.hooks.push(...block.hooks.splice(block.hooks.indexOf(hook), 1));
    });
  }
}

const UNOBSERVED =
  'does not know the runner of this jest: it might run hooks of the test after the rollback, and test.concurrent without any. ' +
  'Use jest 28, 29 or 30 with its own runner, jest-circus (no testRunner in the configuration).';

/** The symbol is no registered one, and jest 29 has its events nowhere else. */
function circusStates(): CircusState[] {
  return Object.getOwnPropertySymbols(globalThis)
    .filter(({ description }) => description === 'JEST_STATE_SYMBOL')
    .map((symbol) => (globalThis as { [key: symbol]: unknown })[symbol])
    .filter(isCircusState);
}

/** jest 27, which has no `maxConcurrency` there, runs a concurrent test as soon as it is declared. */
function isCircusState(state: unknown): state is CircusState {
  const { currentDescribeBlock, hasStarted, maxConcurrency } = Object(state) as Partial<CircusState>;
  return (
    Array.isArray(currentDescribeBlock?.hooks) &&
    Array.isArray(currentDescribeBlock.children) &&
    typeof hasStarted === 'boolean' &&
    typeof maxConcurrency === 'number'
  );
}

/** Each of jest's environments has what its own modules need. */
function isJest(): boolean {
  return Symbol.for('jest-native-promise') in globalThis;
}

/** Calls `listener` when all tests are declared and none has run: with that the state changes, whoever looks. */
function onStart(state: CircusState, listener: () => void): void {
  const before = Object.getOwnPropertyDescriptor(state, 'hasStarted')!;
  Object.defineProperty(state, 'hasStarted', {
    configurable: true,
    enumerable: true,
    get: () => false,
    set(value: boolean) {
      // Of another call of ours it tells that one first.
      Object.defineProperty(state, 'hasStarted', before);
      state.hasStarted = value;
      listener();
    },
  });
}

function concurrentTests({ children }: DescribeBlock): CircusTest[] {
  return children.flatMap((child) =>
    'fn' in child ? [child].filter(({ concurrent }) => concurrent) : concurrentTests(child),
  );
}
