import { Column, Entity, JoinColumn, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import { User } from '../points/user.entity.js';

@Entity()
export class Question {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  authorId!: number;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'authorId' })
  author?: User;

  @Column()
  title!: string;

  /** The readable part of its address. */
  @Column({ type: 'text', nullable: true, unique: true })
  slug!: string | null;
}
