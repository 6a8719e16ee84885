import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { PointHistory } from './point-history.entity.js';
import { User } from './user.entity.js';

@Injectable()
export class PointService {
  constructor(
    @InjectRepository(User) private readonly users: Repository<User>,
    @InjectRepository(PointHistory) private readonly history: Repository<PointHistory>,
  ) {}

  /** No transaction of its own: it belongs to whichever one its caller runs in. */
  async award(userId: number, points: number, reason: string): Promise<void> {
    await this.users.increment({ id: userId }, 'points', points);
    await this.history.save({ userId, points, reason });
  }

  async pointsOf(userId: number): Promise<User & { history: PointHistory[] }> {
    const user = await this.users.findOneBy({ id: userId });
    if (!user) throw new NotFoundException(`User ${userId} does not exist`);
    return Object.assign(user, {
      history: await this.history.find({ where: { userId }, order: { id: 'ASC' } }),
    });
  }
}
