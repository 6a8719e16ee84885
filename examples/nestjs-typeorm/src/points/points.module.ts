import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { PointHistory } from './point-history.entity.js';
import { PointService } from './point.service.js';
import { UserController } from './user.controller.js';
import { User } from './user.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([User, PointHistory])],
  controllers: [UserController],
  providers: [PointService],
  exports: [PointService],
})
export class PointsModule {}
