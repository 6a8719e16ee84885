const kinds: string[] = [];
const record = (_method: unknown, context: ClassMethodDecoratorContext): void => {
  kinds.push(`${context.kind} ${String(context.name)}`);
};

class Service {
  @record
  greet(name: string): string {
    return name;
  }
}

test('a file named *.tc39.test.ts is compiled with standard decorators', () => {
  expect(new Service().greet('you')).toBe('you');
  expect(kinds).toEqual(['method greet']);
});
