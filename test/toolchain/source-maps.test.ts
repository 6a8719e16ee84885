test('a stack trace names the line of the TypeScript source', () => {
  const stack = new Error('here').stack?.split('\n')[1];

  expect(stack).toMatch(/source-maps\.test\.ts:2:17/);
});
