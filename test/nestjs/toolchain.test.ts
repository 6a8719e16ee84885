import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';

@Injectable()
class Dependency {}

@Injectable()
class Service {
  constructor(readonly dependency: Dependency) {}
}

test('Nest 12 runs in this suite and injects by the types of the constructor', async () => {
  const module = await Test.createTestingModule({ providers: [Service, Dependency] }).compile();

  expect(module.get(Service).dependency).toBe(module.get(Dependency));
  await module.close();
});
