import { TestTransactionError } from '../connection/index.js';

/** The parts of jest-circus's state that are used; its environments listen to the same events. */
interface DescribeBlock {
  readonly children: readonly (DescribeBlock | CircusTest)[];
  readonly hooks: CircusHook[];
}

interface CircusHook {
  readonly fn: unknown;
}

interface CircusTest {
  readonly name: string;
  readonly concurrent: boolean;
  fn: () => unknown;
}

type Handler = (
  event: { readonly name: string; readonly fn?: unknown },
  state: { readonly currentDescribeBlock: DescribeBlock },
) => void;

/**
 * Two things that jest does and other runners do not. It runs `test.concurrent` without beforeEach hooks, so nobody
 * could roll it back: each such test of the block that registers `rollBack` fails instead of running. And it runs
 * afterEach hooks in the order of their registration: those of the block that come after `rollBack` would write for
 * good, so that one is made the last. Without jest nothing happens.
 */
export function prepareJest(rollBack: () => Promise<void>): void {
  const handlers = (globalThis as { [key: symbol]: unknown })[Symbol.for('EVENT_HANDLERS')];
  if (!Array.isArray(handlers)) return;
  let block: DescribeBlock | undefined;
  const handler: Handler = ({ name, fn }, { currentDescribeBlock }) => {
    if (name === 'add_hook' && fn === rollBack) block = currentDescribeBlock;
    if (name !== 'run_start' || !block) return;
    for (const test of concurrentTests(block)) refuse(test);
    const { hooks } = block;
    const index = hooks.findIndex((hook) => hook.fn === rollBack);
    if (index !== -1) hooks.push(...hooks.splice(index, 1));
  };
  (handlers as Handler[]).push(handler);
}

function concurrentTests({ children }: DescribeBlock): CircusTest[] {
  return children.flatMap((child) =>
    'fn' in child ? [child].filter(({ concurrent }) => concurrent) : concurrentTests(child),
  );
}

function refuse(test: CircusTest): void {
  test.fn = () => {
    throw new TestTransactionError(
      `"${test.name}" is test.concurrent, which jest runs without the hooks of rollbackPerTest(): what it writes would stay. It was not run. Make it test(...).`,
    );
  };
}
