/**
 * What the harness needs of jest-circus: to run after every hook of a test or of a describe block. jest calls
 * after-hooks in the order of their registration, so an `afterAll` of the harness would run before the one in
 * which the test file closes its application, and would take open sessions for leaks.
 */
export interface ScopeListener {
  onSetUp(): Promise<void>;
  onTestStart(): void;
  /** Runs after all afterEach hooks; what it returns fails the test. */
  onTestEnd(test: TestOutcome): Promise<readonly Error[]>;
  /** Runs after all afterAll hooks of the block; what it returns fails the file. */
  onScopeEnd(scope: ScopeOutcome): Promise<readonly Error[]>;
}

export interface TestOutcome {
  readonly failed: boolean;
}

export interface ScopeOutcome {
  /** A test of this scope failed. */
  readonly failed: boolean;
}

interface DescribeBlock {
  readonly parent?: DescribeBlock;
}

interface CircusTest {
  readonly parent: DescribeBlock;
  readonly errors: unknown[];
}

interface CircusEvent {
  readonly name: string;
  readonly test?: CircusTest;
  readonly describeBlock?: DescribeBlock;
}

interface CircusState {
  readonly currentDescribeBlock: DescribeBlock;
  readonly unhandledErrors: unknown[];
}

type CircusHandler = (event: CircusEvent, state: CircusState) => void | Promise<void>;

/** Attaches the listener to the describe block (or the file) in which it is called. */
export function attachToScope(listener: ScopeListener): void {
  const watcher = new ScopeWatcher(listener);
  circusHandlers().push((event, state) => watcher.handle(event, state));
  // Registering a hook is what tells the watcher which block it belongs to.
  beforeAll(() => watcher.setUp());
}

/** Runs when everything else of the file is over; what it returns fails the file, unless a test failed anyway. */
export function afterFile(check: () => Promise<readonly Error[]>): void {
  const tests = new Set<CircusTest>();
  circusHandlers().push(async (event, state) => {
    if (event.name === 'test_done' && event.test !== undefined) tests.add(event.test);
    if (event.name !== 'run_finish') return;
    const errors = await collect(check);
    const failed = [...tests].some((test) => test.errors.length > 0) || state.unhandledErrors.length > 0;
    if (!failed) state.unhandledErrors.push(...errors);
  });
}

function circusHandlers(): CircusHandler[] {
  const handlers = (globalThis as { [key: symbol]: unknown })[Symbol.for('EVENT_HANDLERS')];
  if (Array.isArray(handlers)) return handlers as CircusHandler[];
  throw new Error('The test harness works with jest-circus only, the default runner of jest.');
}

class ScopeWatcher {
  private scope: DescribeBlock | undefined;
  private isSetUp = false;
  private failed = false;

  constructor(private readonly listener: ScopeListener) {}

  async setUp(): Promise<void> {
    this.isSetUp = true;
    await this.listener.onSetUp();
  }

  handle(event: CircusEvent, state: CircusState): void | Promise<void> {
    if (event.name === 'add_hook') this.scope ??= state.currentDescribeBlock;
    if (!this.isSetUp) return;
    if (event.name === 'test_started' && this.contains(event.test)) this.listener.onTestStart();
    if (event.name === 'test_done' && this.contains(event.test)) return this.testEnded(event.test);
    if (event.name === 'run_describe_finish' && event.describeBlock === this.scope)
      return this.scopeEnded(state);
  }

  private async testEnded(test: CircusTest): Promise<void> {
    const errors = await collect(() => this.listener.onTestEnd({ failed: test.errors.length > 0 }));
    test.errors.push(...errors);
    this.failed ||= test.errors.length > 0;
  }

  private async scopeEnded(state: CircusState): Promise<void> {
    this.isSetUp = false;
    const failed = this.failed || state.unhandledErrors.length > 0;
    state.unhandledErrors.push(...(await collect(() => this.listener.onScopeEnd({ failed }))));
  }

  private contains(test: CircusTest | undefined): test is CircusTest {
    for (let block = test?.parent; block !== undefined; block = block.parent) {
      if (block === this.scope) return true;
    }
    return false;
  }
}

async function collect(check: () => Promise<readonly Error[]>): Promise<readonly unknown[]> {
  try {
    return await check();
  } catch (error) {
    return [error];
  }
}
