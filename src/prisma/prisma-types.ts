/**
 * The parts of a PrismaClient that holdfast uses, as structural types. `PrismaClientLike` is public API; the
 * rest is not, was read in Prisma 7.10, and is checked before use.
 */

/** Any generated PrismaClient. */
export interface PrismaClientLike {
  $transaction(...args: never[]): Promise<unknown>;
  $extends: unknown;
  $disconnect(): Promise<void>;
}

/** One model call on its way to the engine. */
export type PrismaRequest = object;

/** Prisma's DataLoader: it puts `findUnique` calls of one tick and one key into one SELECT. */
export interface DataLoaderOptions {
  batchBy(request: PrismaRequest): string | undefined;
  singleLoader(request: PrismaRequest): Promise<unknown>;
  batchLoader(requests: PrismaRequest[]): Promise<unknown>;
}

export interface PrismaInternals {
  readonly _clientVersion?: string;
  readonly _engineConfig?: {
    readonly adapter?: { readonly externalPool?: object | null; readonly adapterName?: string };
  };
  readonly _requestHandler?: { readonly dataloader?: { readonly options?: Partial<DataLoaderOptions> } };
}

/** Options of `$transaction`, in both its forms. */
export interface PrismaTransactionOptions {
  readonly isolationLevel?: string;
  readonly maxWait?: number;
  readonly timeout?: number;
}
