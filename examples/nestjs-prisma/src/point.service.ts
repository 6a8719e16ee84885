import { Injectable } from '@nestjs/common';
import { PrismaService } from './prisma.service.js';

/** Knows nothing of transactions: whoever calls it decides. */
@Injectable()
export class PointService {
  constructor(private readonly prisma: PrismaService) {}

  async grant(userId: number, points: number): Promise<void> {
    await this.prisma.user.update({ where: { id: userId }, data: { points: { increment: points } } });
  }
}
