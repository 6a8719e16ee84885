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
 * Two things that jest does and other runners do not. It runs `test.concurrent` without beforeEach hooks, so nothing
 * could be done for it: each such test of the block that registers `hook` fails with `refusal` instead of running. And it runs
 * afterEach hooks in the order of their registration: those of the block that come after `hook` would do their work after
 * it, so that one is made the last. Without jest nothing happens.
 */
export function prepareJest(hook: () => Promise<void>, refusal: (test: string) => Error): void {
  const handlers = (globalThis as { [key: symbol]: unknown })[Symbol.for('EVENT_HANDLERS')];
  if (!Array.isArray(handlers)) return;
  let block: DescribeBlock | undefined;
  const handler: Handler = ({ name, fn }, { currentDescribeBlock }) => {
    if (name === 'add_hook' && fn === hook) block = currentDescribeBlock;
    if (name !== 'run_start' || !block) return;
    for (const test of concurrentTests(block)) {
      test.fn = () => {
        throw refusal(test.name);
      };
    }
    const { hooks } = block;
    const index = hooks.findIndex((each) => each.fn === hook);
    if (index !== -1) hooks.push(...hooks.splice(index, 1));
  };
  (handlers as Handler[]).push(handler);
}

function concurrentTests({ children }: DescribeBlock): CircusTest[] {
  return children.flatMap((child) =>
    'fn' in child ? [child].filter(({ concurrent }) => concurrent) : concurrentTests(child),
  );
}
