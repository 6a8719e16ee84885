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

describe('legacy decorators alone', () => {
  /** `@Transactional()` where its types forbid it. */
  const wrong = () => Transactional() as unknown as PropertyDecorator & MethodDecorator;

  const misplaced = {
    'a field': () => {
      class Wrong {
        @wrong()
        field = async () => undefined;
      }
      return Wrong;
    },
    'an accessor': () => {
      class Wrong {
        @wrong()
        get size() {
          return 1;
        }
      }
      return Wrong;
    },
  };

  test.each(Object.entries(misplaced))('%s is refused where it is declared', (_, declare) => {
    expect(declare).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringContaining('belongs on a method or a class'),
      }),
    );
  });

  test('without its parentheses it is refused where it is declared', () => {
    const bare = Transactional as unknown as MethodDecorator & ClassDecorator;
    const onMethod = () => {
      class Bare {
        @bare
        async place(): Promise<void> {}
      }
      return Bare;
    };
    const onClass = () => {
      @bare
      class Bare {}
      return Bare;
    };
    for (const declare of [onMethod, onClass])
      expect(declare).toThrow(
        expect.objectContaining({
          code: 'INVALID_OPTIONS',
          message: expect.stringContaining('@Transactional()'),
        }),
      );
  });
});
