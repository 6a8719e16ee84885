import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Draft } from './draft.entity.js';
import { DraftService } from './draft.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Draft])],
  providers: [DraftService],
  exports: [DraftService],
})
export class DraftsModule {}
