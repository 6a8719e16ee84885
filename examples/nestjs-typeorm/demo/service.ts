import type { AddressInfo } from 'node:net';
import { type DynamicModule, type INestApplication, Logger, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { setLogger } from 'holdfast';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import type { AskQuestion } from '../src/questions/ask-question.js';

export interface ServiceOptions {
  /** Default: a free one. A port that is in use is replaced by a free one. */
  readonly port?: number;
  readonly onLog?: (line: string) => void;
}

/** A service that runs and listens, seen from outside: its HTTP interface, its log, its pool. */
export class Service {
  private constructor(
    private readonly app: INestApplication,
    readonly log: readonly string[],
  ) {}

  /** Takes the module as a function, because Nest's modules log when they are put together. */
  static async start(module: () => DynamicModule, options: ServiceOptions = {}): Promise<Service> {
    const log: string[] = [];
    const logger = new LogLines((line) => {
      log.push(line);
      options.onLog?.(line);
    });
    Logger.overrideLogger(logger);
    // What it logs at info, each retry for example, is no line of the story on the screen.
    setLogger({
      debug: () => {},
      info: () => {},
      warn: (_, message) => logger.warn(message),
      error: (_, message) => logger.error(message),
    });
    const service = new Service(await NestFactory.create(module(), { logger }), log);
    await service.listen(options.port ?? 0);
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.app.getHttpServer().address() as AddressInfo).port}`;
  }

  get dataSource(): DataSource {
    return this.app.get(DataSource);
  }

  /** Connections that requests took and did not give back. */
  get connectionsOut(): number {
    const { master } = this.dataSource.driver as unknown as { master: Pool };
    return master.totalCount - master.idleCount;
  }

  /** `POST /questions`; answers what the client saw. */
  async ask(question: AskQuestion): Promise<string> {
    const response = await fetch(`${this.url}/questions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(question),
    });
    const { id, message } = (await response.json()) as { id?: number; message?: string };
    return response.ok ? `${response.status} Created, question ${id}` : `${response.status} ${message}`;
  }

  /** Closes the service. One that lost connections never gets to the end of that: its pool waits for them. */
  async close(): Promise<void> {
    const lost = this.connectionsOut > 0;
    const closed = this.app.close();
    if (!lost) await closed;
  }

  private async listen(port: number): Promise<void> {
    try {
      await this.app.listen(port, '127.0.0.1');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      await this.app.listen(0, '127.0.0.1');
    }
  }
}

/** Keeps what is worth reading: warnings, errors, and what QuestionService says it does. */
class LogLines implements LoggerService {
  constructor(private readonly write: (line: string) => void) {}

  log(message: unknown, context?: string): void {
    if (context === 'QuestionService') this.write(String(message));
  }

  warn(message: unknown, context?: string): void {
    // It warns of two data sources of one name in a process. Here each belongs to an application of its own.
    if (context !== 'DataSourceNameRegistry') this.write(String(message));
  }

  error(message: unknown): void {
    this.write(message instanceof Error ? `${message.name}: ${message.message}` : String(message));
  }
}
