import 'reflect-metadata';
import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { Logger } from 'holdfast';
import type { TestDatabase } from '../harness/database.js';

@Entity()
export class Entry {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') label!: string;
}

/** What a service of one database says to TypeORM. */
export function typeorm(db: TestDatabase, more: Partial<TypeOrmModuleOptions> = {}): TypeOrmModuleOptions {
  return {
    type: 'postgres',
    url: db.url,
    entities: [Entry],
    retryAttempts: 0,
    ...more,
  } as TypeOrmModuleOptions;
}

/** TypeORM and the repository of `Entry`, for the imports of a module under test. */
export function typeormImports(
  db: TestDatabase,
  more: Partial<TypeOrmModuleOptions> = {},
): NonNullable<ModuleMetadata['imports']> {
  return [TypeOrmModule.forRoot(typeorm(db, more)), TypeOrmModule.forFeature([Entry])];
}

/** An application that is closed at the end of the test, when it still runs. */
export async function startApplication(
  db: TestDatabase,
  metadata: ModuleMetadata,
): Promise<INestApplicationContext> {
  const module = await Test.createTestingModule(metadata).compile();
  return closeAtEnd(db, module).init();
}

/** Nest runs every hook once more when an application is closed once more. */
export function closeAtEnd<App extends INestApplicationContext>(db: TestDatabase, app: App): App {
  let closed: Promise<void> | undefined;
  const close = app.close.bind(app);
  app.close = () => (closed ??= close());
  db.defer(() => app.close());
  return app;
}

export async function labels(db: TestDatabase): Promise<string[]> {
  const rows = await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id');
  return rows.map(({ label }) => label);
}

export interface LogLine {
  readonly level: keyof Logger;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A logger for the tests that read what is logged. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[] = [];

  debug = this.record('debug');
  info = this.record('info');
  warn = this.record('warn');
  error = this.record('error');

  private record(level: keyof Logger): Logger['info'] {
    return (fields, message) => void this.lines.push({ level, fields: { ...fields }, message });
  }
}
