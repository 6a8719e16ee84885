import { Readable } from 'node:stream';
import { afterCommit, afterRollback, Transactional } from 'holdfast';
import {
  audit,
  describeDecoratedClass,
  describeDecoratedMethods,
  failure,
  see,
  type Seen,
} from './decorators.suite.js';
import { type Entries, useEntries } from './entries.js';

const entries = useEntries();

class Orders {
  constructor(readonly entries: Entries) {}

  @Transactional()
  async place(label: string, amount?: number): Promise<Seen> {
    await this.entries.add(label);
    return see(this, label, amount);
  }

  @Transactional()
  async placeAndFail(label: string): Promise<never> {
    await this.entries.add(label);
    throw failure;
  }

  @Transactional()
  throwAtOnce(): Promise<never> {
    throw failure;
  }

  @Transactional()
  promiseOfAPlainFunction(label: string): Promise<Seen> {
    return this.entries.add(label).then(() => see(this, label));
  }

  @Transactional({ name: 'the order desk' })
  async named(): Promise<Seen> {
    return see(this);
  }

  @Transactional()
  async [audit](): Promise<Seen> {
    return see(this);
  }

  @Transactional()
  static async find(label: string): Promise<Seen> {
    return see(this, label);
  }
}

class Refunds extends Orders {}

class Shelf {
  async inherited(): Promise<Seen> {
    return see(this);
  }
}

@Transactional()
class Catalogue extends Shelf {
  #offset = 1;

  constructor(readonly entries: Entries) {
    super();
  }

  static async find(): Promise<Seen> {
    return see(this);
  }

  get size(): Seen {
    return see(this);
  }

  async list(label: string): Promise<Seen> {
    await this.entries.add(label);
    return see(this, label);
  }

  async viaHelpers(label: string): Promise<readonly Seen[]> {
    const first = await this.list(label);
    if (label === 'fail') throw failure;
    return [first, await this.#hidden(), this.helper()];
  }

  @Transactional({ isolationLevel: 'SERIALIZABLE', name: 'the catalogue’s own' })
  async own(): Promise<Seen> {
    return see(this);
  }

  count(step: number): number {
    return this.#offset + step;
  }

  refuse(): never {
    throw failure;
  }

  stream(): unknown {
    return Readable.from(['a']);
  }

  register(hook: () => void): string {
    afterCommit(hook);
    return 'registered';
  }

  registerAndThrow(hook: () => void, undo: () => void): never {
    afterCommit(hook);
    afterRollback(undo);
    throw failure;
  }

  async [audit](): Promise<Seen> {
    return see(this);
  }

  private helper(): Seen {
    return see(this);
  }

  async #hidden(): Promise<Seen> {
    await this.entries.add('hidden');
    return see(this);
  }
}

describe('@Transactional() on methods', () => {
  describeDecoratedMethods({ Orders, Refunds }, entries);
});
describe('@Transactional() on a class', () => {
  describeDecoratedClass(Catalogue, entries);
});

describe('standard decorators alone', () => {
  class Ledger {
    @Transactional()
    async #post(label: string): Promise<Seen> {
      await entries.add(label);
      return see(this, label);
    }

    @Transactional()
    static async #open(): Promise<Seen> {
      return see(this);
    }

    post(label: string): Promise<Seen> {
      return this.#post(label);
    }

    static open(): Promise<Seen> {
      return Ledger.#open();
    }
  }

  test('a private method is surrounded', async () => {
    const ledger = new Ledger();
    const seen = await ledger.post('a');
    expect(seen).toMatchObject({ self: ledger, transaction: { name: 'Ledger.#post' } });
    expect((await Ledger.open()).transaction).toMatchObject({ name: 'Ledger.#open' });
  });

  test.each([
    [
      'a field',
      () =>
        class {
          @wrong() field = async () => undefined;
        },
    ],
    [
      'an accessor',
      () =>
        class {
          @wrong() get size() {
            return 1;
          }
        },
    ],
    [
      'an auto-accessor',
      () =>
        class {
          @wrong() accessor size = 1;
        },
    ],
  ])('%s is refused where it is declared', (_, declare) => {
    expect(declare).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringContaining('belongs on a method or a class'),
      }),
    );
  });

  test('without its parentheses it is refused where it is declared', () => {
    const bare = Transactional as unknown as (
      method: unknown,
      context: ClassMethodDecoratorContext,
    ) => undefined;
    const declare = () => {
      class Bare {
        @bare
        async place(): Promise<void> {}
      }
      return Bare;
    };
    expect(declare).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});

/** `@Transactional()` where its types forbid it. */
function wrong(): (value: unknown, context: DecoratorContext) => undefined {
  return Transactional() as unknown as (value: unknown, context: DecoratorContext) => undefined;
}
