import 'reflect-metadata';

const seen: unknown[] = [];
const record = (target: object, key: string): void => {
  seen.push(Reflect.getMetadata('design:paramtypes', target, key));
};

class Service {
  @record
  greet(name: string): string {
    return name;
  }
}

test('tests are compiled with legacy decorators and their metadata', () => {
  expect(new Service().greet('you')).toBe('you');
  expect(seen).toEqual([[String]]);
});
