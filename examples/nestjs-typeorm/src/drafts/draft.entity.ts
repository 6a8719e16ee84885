import { Column, Entity, JoinColumn, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import { User } from '../points/user.entity.js';

@Entity()
export class Draft {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  authorId!: number;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'authorId' })
  author?: User;

  @Column()
  title!: string;
}
