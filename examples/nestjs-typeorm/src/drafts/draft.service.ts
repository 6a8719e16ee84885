import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { Draft } from './draft.entity.js';

@Injectable()
export class DraftService {
  constructor(@InjectRepository(Draft) private readonly drafts: Repository<Draft>) {}

  async discard(id: number, authorId: number): Promise<void> {
    const { affected } = await this.drafts.delete({ id, authorId });
    if (!affected) throw new NotFoundException(`Draft ${id} does not exist`);
  }
}
