/**
 * The parts of a PrismaClient that holdfast uses, as structural types. `PrismaClientLike` is public API; the
 * rest is not, was read in Prisma 7.10, and is checked before use.
 */

/** Any generated PrismaClient, extended ones included. */
export interface PrismaClientLike {
  $transaction(...args: never[]): Promise<unknown>;
  $extends: unknown;
  $disconnect(): Promise<void>;
}

/** One model call on its way to the engine. */
export type PrismaRequest = object;

/** Prisma's DataLoader: it puts `findUnique` calls of one tick and one key into one SELECT. */
export interface DataLoaderOptions {
  readonly batchBy: (request: PrismaRequest) => string | undefined;
  readonly singleLoader: (request: PrismaRequest) => Promise<unknown>;
  readonly batchLoader: (requests: PrismaRequest[]) => Promise<unknown>;
}

/** Options of `$transaction`, in both its forms. */
export interface PrismaTransactionOptions {
  readonly isolationLevel?: string | undefined;
  readonly maxWait?: number;
  readonly timeout?: number;
}

/** What a client asks for everything that the database has to do with. */
export interface PrismaEngine {
  start: () => Promise<unknown>;
  request: (query: object, options: object) => Promise<unknown>;
  requestBatch: (queries: object[], options: object) => Promise<unknown>;
  /** Starts and ends Prisma's own transactions. */
  transaction: (action: string, headers: object, options: EngineTransactionOptions) => Promise<unknown>;
}

/** What a driver adapter is made by. An adapter holds the connection to the database. */
export interface PrismaAdapterFactory {
  readonly adapterName?: string;
  /** The pool that `@prisma/adapter-pg` was given. */
  readonly externalPool?: object | null;
  connect: () => Promise<PrismaAdapter>;
}

export interface PrismaAdapter {
  /** The driver's pool. */
  underlyingDriver?(): object;
  dispose(): Promise<void>;
}

export interface EngineTransactionOptions extends PrismaTransactionOptions {
  /** The interactive transaction that this one nests in. */
  readonly newTxId?: string;
}

export interface PrismaRequestHandler {
  readonly dataloader: { readonly options: DataLoaderOptions };
  /** Puts an error of the engine into Prisma's words; always throws. */
  handleRequestError: (failure: { readonly error: unknown }) => never;
}

/** What the client itself, and every client that is extended from it, shares. */
export interface PrismaInternals {
  readonly _clientVersion?: string;
  /** The client that an extended one was made from. */
  readonly _originalClient?: PrismaClientLike & PrismaInternals;
  readonly _engineConfig?: {
    readonly adapter?: PrismaAdapterFactory;
    readonly transactionOptions?: PrismaTransactionOptions;
  };
  readonly _engine?: Partial<PrismaEngine>;
  readonly _requestHandler?: Partial<PrismaRequestHandler>;
}
