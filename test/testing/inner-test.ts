import { rollbackPerTest, type RollbackPerTestOptions } from 'holdfast/testing';

/** A test of an application, run inside one of ours: its runner's hooks are called by hand. */
export class InnerTest {
  readonly #begin: (() => Promise<void>)[] = [];
  readonly #end: (() => Promise<void>)[] = [];

  constructor(options: RollbackPerTestOptions = {}) {
    rollbackPerTest({
      ...options,
      beforeEach: (hook) => this.#begin.push(hook),
      afterEach: (hook) => this.#end.push(hook),
    });
  }

  begin = async (): Promise<void> => {
    for (const hook of this.#begin) await hook();
  };

  end = async (): Promise<void> => {
    for (const hook of this.#end) await hook();
  };

  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.begin();
    try {
      return await work();
    } finally {
      await this.end();
    }
  }
}
