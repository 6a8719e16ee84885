import 'reflect-metadata';
import {
  BaseEntity,
  Column,
  DeleteDateColumn,
  Entity,
  EventSubscriber,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  Repository,
  Tree,
  TreeChildren,
  TreeParent,
  type EntitySubscriberInterface,
  type InsertEvent,
} from 'typeorm';

@Entity()
export class Author {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text', { unique: true }) name!: string;
  @Column('int', { default: 0 }) prizes!: number;
  @DeleteDateColumn() deletedAt!: Date | null;
  @OneToMany(() => Book, (book) => book.author, { cascade: true }) books!: Book[];
  @OneToMany(() => Review, (review) => review.about) reviews!: Promise<Review[]>;
}

@Entity()
export class Book {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') title!: string;
  @ManyToOne(() => Author, (author) => author.books, { nullable: true }) author!: Author | null;
}

/** Relations that load themselves when they are looked at. */
@Entity()
export class Review {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') text!: string;
  @ManyToOne(() => Author, (author) => author.reviews, { nullable: true }) about!: Promise<Author | null>;
}

/** ActiveRecord. */
@Entity()
export class Shelf extends BaseEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') label!: string;
}

@Entity()
@Tree('closure-table')
export class Genre {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') name!: string;
  @TreeChildren({ cascade: true }) children!: Genre[];
  @TreeParent() parent!: Genre | null;
}

/** What a subscriber writes. */
@Entity()
export class Notice {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') text!: string;
}

export class AuthorRepository extends Repository<Author> {
  async addNamed(name: string): Promise<void> {
    await this.save(this.create({ name }));
  }
}

/** Writes whenever an author whose name begins with `announced` is inserted, in two ways. */
@EventSubscriber()
export class AuthorSubscriber implements EntitySubscriberInterface<Author> {
  listenTo(): typeof Author {
    return Author;
  }

  async afterInsert({ entity, manager, connection }: InsertEvent<Author>): Promise<void> {
    if (!entity.name.startsWith('announced')) return;
    await manager.save(Notice, { text: `${entity.name}, through the event's manager` });
    await connection.getRepository(Notice).save({ text: `${entity.name}, through a repository` });
  }
}

export const libraryEntities = [Author, Book, Review, Shelf, Genre, Notice];

/** Makes every table record which connection and which transaction changed it. */
export const auditSql = `
  CREATE TABLE audit (
    "table" text NOT NULL,
    pid     integer NOT NULL DEFAULT pg_backend_pid(),
    txid    text NOT NULL DEFAULT pg_current_xact_id()::text
  );
  CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO audit ("table") VALUES (TG_TABLE_NAME);
      RETURN NULL;
    END $$;
  DO $$
    DECLARE audited text;
    BEGIN
      FOR audited IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'audit' LOOP
        EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION audit()', audited);
      END LOOP;
    END $$;
`;
