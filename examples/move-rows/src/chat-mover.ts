import type { Pool as MysqlPool, RowDataPacket } from 'mysql2/promise';
import type { Pool as PgPool } from 'pg';
import { PartialCommitError, Transactional } from 'holdfast';

interface Chat {
  readonly id: string;
  readonly room: number;
  readonly author: string;
  readonly body: string;
  readonly sent_at: string;
}

/** How often in a row a chunk may end in part before somebody should look at the servers. */
const MOST_PARTIAL_COMMITS = 5;

/**
 * Moves the rows of `chat` from MySQL to PostgreSQL, in chunks. It can be killed at any moment and started again: a
 * chunk is committed on the target first, and there it may be done twice.
 */
export class ChatMover {
  constructor(
    private readonly source: MysqlPool,
    private readonly target: PgPool,
    private readonly chunkSize: number,
  ) {}

  /** Moves all that there is. `tell` hears of each chunk. */
  async moveAll(tell: (event: string) => void): Promise<void> {
    for (let partial = 0; ;) {
      try {
        const moved = await this.moveChunk();
        if (moved === 0) return;
        tell(`moved ${moved} rows`);
        partial = 0;
      } catch (error) {
        // The rows are on the target, and on the source still, or nobody knows: the next run of the chunk finds out.
        if (!(error instanceof PartialCommitError) || ++partial === MOST_PARTIAL_COMMITS) throw error;
        tell(`once more: committed on ${error.committed.join(', ') || 'none for certain'}`);
      }
    }
  }

  /** READ COMMITTED: at MySQL's own default the locks would keep the application from writing new rows. */
  @Transactional({
    dataSource: ['target', 'source'],
    isolationLevel: 'READ COMMITTED',
    timeoutMs: 60_000,
    retry: { attempts: 5 },
  })
  async moveChunk(): Promise<number> {
    const [chats] = await this.source.query<(Chat & RowDataPacket)[]>(
      'SELECT id, room, author, body, sent_at FROM chat ORDER BY id LIMIT ? FOR UPDATE',
      [this.chunkSize],
    );
    if (chats.length === 0) return 0;
    const arrived = await this.bringOver(chats);
    if (arrived !== chats.length) {
      throw new Error(
        `${chats.length} rows were read, and ${arrived} are on the target as they were read: others have their ids there. ` +
          `Nothing of this chunk (ids ${chats[0]!.id} to ${chats.at(-1)!.id}) was moved.`,
      );
    }
    await this.source.query('DELETE FROM chat WHERE id IN (?)', [chats.map(({ id }) => id)]);
    return chats.length;
  }

  /** Answers how many of the rows are on the target afterwards exactly as they are on the source. */
  private async bringOver(chats: readonly Chat[]): Promise<number> {
    const columns = [
      chats.map(({ id }) => id),
      chats.map(({ room }) => room),
      chats.map(({ author }) => author),
      chats.map(({ body }) => body),
      chats.map(({ sent_at }) => sent_at),
    ];
    const read = 'unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::timestamp[])';
    await this.target.query(
      `INSERT INTO chat (id, room, author, body, sent_at) SELECT * FROM ${read} ON CONFLICT (id) DO NOTHING`,
      columns,
    );
    const { rows } = await this.target.query<{ equal: number }>(
      `SELECT count(*)::int AS equal
         FROM chat JOIN ${read} AS read (id, room, author, body, sent_at) USING (id, room, author, body, sent_at)`,
      columns,
    );
    return rows[0]!.equal;
  }
}
