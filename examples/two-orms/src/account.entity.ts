import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Old tables are still TypeORM's. */
@Entity('account')
export class Account {
  @PrimaryColumn('text') owner!: string;
  @Column('integer') balance!: number;
}
