import { HoldfastError } from '../core/index.js';

/** The PrismaClient does not use a managed pool, or is of a version whose inside is not known. */
export class UnsupportedPrismaClientError extends HoldfastError {
  static readonly code = 'UNSUPPORTED_PRISMA_CLIENT';
  readonly code = UnsupportedPrismaClientError.code;
}
