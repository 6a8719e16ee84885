import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Transactional } from 'holdfast';
import { Repository } from 'typeorm';
import { Account } from './account.entity.js';
import { PrismaService } from './prisma.service.js';

@Injectable()
export class TransferService {
  constructor(
    @InjectRepository(Account) private readonly accounts: Repository<Account>,
    private readonly prisma: PrismaService,
  ) {}

  /** Prisma first, then TypeORM: what fails in either undoes both. */
  @Transactional()
  async transfer(from: string, to: string, amount: number): Promise<number> {
    const { id } = await this.prisma.transfer.create({ data: { from, to, amount } });
    await this.accounts.decrement({ owner: from }, 'balance', amount);
    const { affected } = await this.accounts.increment({ owner: to }, 'balance', amount);
    if (affected === 0) throw new Error(`There is no account of ${to}`);
    return id;
  }
}
