import { Controller, Get, Param, ParseIntPipe } from '@nestjs/common';
import { PointService } from './point.service.js';

@Controller('users')
export class UserController {
  constructor(private readonly points: PointService) {}

  @Get(':id')
  pointsOf(@Param('id', ParseIntPipe) id: number): ReturnType<PointService['pointsOf']> {
    return this.points.pointsOf(id);
  }
}
