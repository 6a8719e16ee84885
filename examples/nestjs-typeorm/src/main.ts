import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

async function start(): Promise<void> {
  const { DATABASE_URL: url, PORT: port = '3000', POOL_SIZE: poolSize = '10' } = process.env;
  if (!url) throw new Error('DATABASE_URL is not set: postgres://user:password@host:5432/database');
  const app = await NestFactory.create(AppModule.on({ url, poolSize: Number(poolSize) }));
  // Ctrl-C and SIGTERM close the application, which lets running transactions finish.
  app.enableShutdownHooks();
  await app.listen(port);
}

void start();
