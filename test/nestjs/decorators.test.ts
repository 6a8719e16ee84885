import type { AddressInfo } from 'node:net';
import {
  type ArgumentsHost,
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Header,
  HttpCode,
  Injectable,
  type INestApplication,
  type NestInterceptor,
  NotFoundException,
  Param,
  ParseIntPipe,
  type PipeTransform,
  Post,
  SetMetadata,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { InjectRepository } from '@nestjs/typeorm';
import { map, type Observable, of } from 'rxjs';
import type { Repository } from 'typeorm';
import { currentTransaction, Transactional, type TransactionalDecorator } from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { useDatabase } from '../harness/database.js';
import { Entry, labels, RecordingLogger, typeormImports } from './application.js';

const db = useDatabase();
const seenByGuard: unknown[] = [];

@Injectable()
class RoleGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const handler = context.getHandler();
    seenByGuard.push({ role: this.reflector.get('role', handler), name: handler.name });
    return true;
  }
}

@Injectable()
class Wrapping implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value: object) => ({ ...value, wrapped: true })));
  }
}

@Catch(NotFoundException)
class Teapot implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    const response = host
      .switchToHttp()
      .getResponse<{ status(code: number): { json(body: object): void } }>();
    response.status(418).json({ teapot: true });
  }
}

@Injectable()
class Shout implements PipeTransform {
  transform(value: unknown): unknown {
    return typeof value === 'string' ? value.toUpperCase() : value;
  }
}

abstract class Writing {
  @InjectRepository(Entry) protected readonly entries!: Repository<Entry>;

  async write(id: number, label: string): Promise<object> {
    await this.entries.save({ label: `${label} ${id}` });
    if (id === 404) throw new NotFoundException();
    return { id, label, transaction: currentTransaction()?.name };
  }
}

/** What Nest offers for a method, from the top line to the bottom one. */
const nestsOwn: MethodDecorator[] = [
  Post(':id'),
  HttpCode(202),
  Header('x-kept', 'yes'),
  SetMetadata('role', 'editor'),
  UseGuards(RoleGuard),
  UseInterceptors(Wrapping),
  UseFilters(Teapot),
  UsePipes(Shout),
];

/** A controller whose `write` has `@Transactional()` in the given line among Nest's own decorators. */
function controllerWithLine(line: number): Type {
  class Written extends Writing {
    override write(id: number, label: string): Promise<object> {
      return super.write(id, label);
    }
  }
  Reflect.defineMetadata('design:paramtypes', [Number, String], Written.prototype, 'write');
  Param('id', ParseIntPipe)(Written.prototype, 'write', 0);
  Body('label')(Written.prototype, 'write', 1);
  const decorators = nestsOwn.toSpliced(line, 0, Transactional() as MethodDecorator);
  const descriptor = Object.getOwnPropertyDescriptor(Written.prototype, 'write')!;
  Object.defineProperty(
    Written.prototype,
    'write',
    Reflect.decorate(decorators, Written.prototype, 'write', descriptor)!,
  );
  Controller(`line-${line}`)(Written);
  return Written;
}

/** The class decorators in both orders; the methods have Nest's own only. */
function controllerOfClass(path: string, order: 'above' | 'below'): Type {
  class Whole extends Writing {
    @Post(':id')
    @HttpCode(202)
    @Header('x-kept', 'yes')
    @SetMetadata('role', 'editor')
    @UseFilters(Teapot)
    @UsePipes(Shout)
    override write(@Param('id', ParseIntPipe) id: number, @Body('label') label: string): Promise<object> {
      return super.write(id, label);
    }

    @Get('plain')
    plain(): object {
      return { transaction: currentTransaction()?.name };
    }

    @Get('lazy')
    lazy(): Observable<object> {
      return of({ lazy: true });
    }

    @Get('lazy-promise')
    async lazyPromise(): Promise<Observable<object>> {
      await this.entries.save({ label: 'before the Observable' });
      return of({ lazy: true });
    }
  }
  const nests = [Controller(path), UseGuards(RoleGuard), UseInterceptors(Wrapping)];
  const ours: TransactionalDecorator = Transactional();
  Reflect.decorate((order === 'above' ? [ours, ...nests] : [...nests, ours]) as ClassDecorator[], Whole);
  return Whole;
}

const lines = Array.from({ length: nestsOwn.length + 1 }, (_, line) => line);
const paths = [...lines.map((line) => `line-${line}`), 'class-above', 'class-below'];
const nestLog = new RecordingLogger();
let app: INestApplication;
let url: string;

beforeAll(async () => {
  const module = await Test.createTestingModule({
    imports: [HoldfastModule.forRoot(), ...typeormImports(db)],
    controllers: [
      ...lines.map(controllerWithLine),
      controllerOfClass('class-above', 'above'),
      controllerOfClass('class-below', 'below'),
    ],
  }).compile();
  app = module.createNestApplication({
    logger: {
      log() {},
      warn() {},
      error: (error: Error) => nestLog.error({}, `${error.name}: ${error.message}`),
    },
  });
  await app.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  db.defer(() => app.close());
});
beforeEach(() => {
  seenByGuard.length = 0;
  nestLog.lines.length = 0;
});
afterEach(() => db.truncate());

async function post(
  path: string,
  body: object,
): Promise<{ status: number; kept: string | null; body: unknown }> {
  const response = await fetch(`${url}/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, kept: response.headers.get('x-kept'), body: await response.json() };
}

async function get(path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/${path}`);
  return { status: response.status, body: await response.json() };
}

describe.each(paths)('@Transactional() at %s', (path) => {
  const name = path.startsWith('line') ? 'Written.write' : 'Whole.write';

  test("every one of Nest's decorators is in force, and the method runs in its transaction", async () => {
    expect(await post(`${path}/7`, { label: 'kept' })).toEqual({
      status: 202,
      kept: 'yes',
      body: { id: 7, label: 'KEPT', transaction: name, wrapped: true },
    });
    expect(seenByGuard).toEqual([{ role: 'editor', name: 'write' }]);
    expect(await labels(db)).toEqual(['KEPT 7']);
  });

  test('an error rolls back and reaches the exception filter', async () => {
    expect(await post(`${path}/404`, { label: 'lost' })).toMatchObject({
      status: 418,
      body: { teapot: true },
    });
    expect(await labels(db)).toEqual([]);
  });

  test('a parameter that its pipe refuses never gets to the method', async () => {
    expect(await post(`${path}/seven`, { label: 'lost' })).toMatchObject({ status: 400 });
    expect(await labels(db)).toEqual([]);
  });
});

describe.each(['class-above', 'class-below'])('the other methods of %s', (path) => {
  test('a synchronous one answers as before', async () => {
    expect(await get(`${path}/plain`)).toEqual({
      status: 200,
      body: { transaction: 'Whole.plain', wrapped: true },
    });
  });

  test.each(['lazy', 'lazy-promise'])(
    '%s: an Observable is refused, because its work would outlive the transaction',
    async (method) => {
      expect(await get(`${path}/${method}`)).toMatchObject({ status: 500 });
      expect(nestLog.lines.map(({ message }) => message)).toEqual([
        expect.stringMatching(/^UnsupportedReturnError: "Whole\.lazy.*" returned an Observable/),
      ]);
      expect(await labels(db)).toEqual([]);
    },
  );
});
