import type { ServerReport, StatusDocument } from '../../pool-monitor/index.js';

/** What there is to see at one moment: of an application, of a server, or of both. */
export interface Snapshot {
  readonly app: StatusDocument | undefined;
  readonly server: ServerReport | undefined;
  /** Why it is an old one. */
  readonly problem?: string;
}

/** Where snapshots come from. */
export interface SnapshotSource {
  load(): Promise<Snapshot>;
  close(): Promise<void>;
}
