import { HoldfastError, type HoldfastErrorDetails } from '../core/index.js';

/** The PrismaClient does not use a managed pool, or is of a version whose inside is not known. */
export class UnsupportedPrismaClientError extends HoldfastError {
  static readonly code = 'UNSUPPORTED_PRISMA_CLIENT';
  readonly code = UnsupportedPrismaClientError.code;
  /** The client's driver adapter, where that is not one for a managed data source. */
  readonly adapter: string | undefined;

  constructor(message: string, details: HoldfastErrorDetails & { adapter?: string } = {}) {
    super(message, details);
    this.adapter = details.adapter;
  }
}
