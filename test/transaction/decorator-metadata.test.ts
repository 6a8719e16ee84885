import 'reflect-metadata';
import { currentTransaction, Transactional } from 'holdfast';
import { useEntries } from './entries.js';

const entries = useEntries();

/** As Nest's: what it says is kept on the method's own function. */
const SetMetadata =
  (key: string, value: unknown): MethodDecorator =>
  (_target, _name, descriptor) =>
    Reflect.defineMetadata(key, value, descriptor.value as object);

/** As interceptors do it: another function takes the method's place. */
const Traced =
  (log: string[]): MethodDecorator =>
  (_target, name, descriptor) => {
    const method = descriptor.value as unknown as (...args: unknown[]) => Promise<unknown>;
    const traced = async function (this: unknown, ...args: unknown[]): Promise<unknown> {
      log.push(`${String(name)} ${currentTransaction() ? 'inside' : 'outside'}`);
      return method.apply(this, args);
    };
    Object.assign(descriptor, { value: traced });
  };

/** As Nest's @Param: what it says is kept on the class, by the method's name. */
const Param = (): ParameterDecorator => (target, name, index) =>
  Reflect.defineMetadata(`param ${index}`, true, target, name!);

const log: string[] = [];
beforeEach(() => void log.splice(0));

class Controller {
  @SetMetadata('path', '/above')
  @Transactional()
  async above(): Promise<string | undefined> {
    return currentTransaction()?.name;
  }

  @Transactional()
  @SetMetadata('path', '/below')
  async below(): Promise<string | undefined> {
    return currentTransaction()?.name;
  }

  @SetMetadata('role', 'admin')
  @Transactional()
  @SetMetadata('path', '/both')
  async both(): Promise<string | undefined> {
    return currentTransaction()?.name;
  }

  @Traced(log)
  @Transactional()
  async tracedOutside(): Promise<string | undefined> {
    return currentTransaction()?.name;
  }

  @Transactional()
  @Traced(log)
  async tracedInside(): Promise<string | undefined> {
    return currentTransaction()?.name;
  }

  @Transactional()
  async typed(@Param() id: number, label: string): Promise<string> {
    return `${id} ${label}`;
  }
}

@Transactional()
class DecoratedController {
  @SetMetadata('path', '/class')
  async find(): Promise<string | undefined> {
    return currentTransaction()?.name;
  }
}

const metadata = (target: object, method: string): Record<string, unknown> => {
  const found = (target as Record<string, object>)[method]!;
  return Object.fromEntries(
    (Reflect.getMetadataKeys(found) as string[]).map((key) => [
      key,
      Reflect.getMetadata(key, found) as unknown,
    ]),
  );
};

test.each([
  ['above', { path: '/above' }],
  ['below', { path: '/below' }],
  ['both', { path: '/both', role: 'admin' }],
])('what a decorator %s says of the method is found on it', async (method, expected) => {
  expect(metadata(Controller.prototype, method)).toEqual(expected);
  const controller = new Controller();
  expect(await controller[method as 'above']()).toBe(`Controller.${method}`);
});

test('what a decorator says of a method of a decorated class is found on it', async () => {
  expect(metadata(DecoratedController.prototype, 'find')).toEqual({ path: '/class' });
  expect(await new DecoratedController().find()).toBe('DecoratedController.find');
});

test('a decorator that wraps the method stands outside the transaction above it and inside below it', async () => {
  const controller = new Controller();
  expect(await controller.tracedOutside()).toBe('Controller.tracedOutside');
  expect(await controller.tracedInside()).toBe('Controller.tracedInside');
  expect(log).toEqual(['tracedOutside outside', 'tracedInside inside']);
});

test('what the compiler and parameter decorators say of the method stays', async () => {
  const prototype: object = Controller.prototype;
  expect(Reflect.getMetadata('design:paramtypes', prototype, 'typed')).toEqual([Number, String]);
  expect(Reflect.getMetadata('design:returntype', prototype, 'typed')).toBe(Promise);
  expect(Reflect.getMetadata('param 0', prototype, 'typed')).toBe(true);
  expect(await new Controller().typed(1, 'a')).toBe('1 a');
  expect(entries.pool.totalCount).toBe(0);
});
