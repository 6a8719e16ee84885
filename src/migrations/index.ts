export { defineConfig } from './define-config.js';
export type { HoldfastConfig, HoldfastConfigExport } from './define-config.js';
export { HISTORY_FORMATS, readMigratorOptions } from './options.js';
export type {
  HistoryOptions,
  LockOptions,
  MigratorOptions,
  ParsedHistoryOptions,
  ParsedMigratorOptions,
} from './options.js';
export { ADOPTABLE } from './migrator.js';
export type {
  Adoptable,
  AdoptOptions,
  AdoptResult,
  AppliedScript,
  BaselineOptions,
  BaselineResult,
  DoctorCheck,
  DoctorResult,
  DryRunResult,
  DryRunScript,
  DryRunStatement,
  DryRunTable,
  Migrator,
  Problem,
  RepairResult,
  StatusEntry,
  StatusResult,
  UndoOptions,
  UndoResult,
  UnlockResult,
  UpOptions,
  UpResult,
  ValidateResult,
} from './migrator.js';
export { CALLBACK_MOMENTS } from './events.js';
export type { CallbackMoment, MigrationEvent, MigrationListener, ResolvedCallback } from './events.js';
export { MIGRATION_STATES } from './state.js';
export type { MigrationState } from './state.js';
export type { HistoryType, MigrationBody, MigrationKind, ResolvedMigration } from './migration.js';
export type { HistoryFormat } from './history/history.js';
export type { LockHolder } from './locks/lock.js';
export { findDriver, loadDriver } from './database/load-driver.js';
export type { DriverName } from './database/load-driver.js';
export type { ServerWarning } from './database/session.js';
export type { SourcePosition } from './sql/statement.js';
export { resolveMigrations } from './sources/resolve-migrations.js';
export type { IgnoredFile, MigrationSources, ResolveMigrations, SourceOptions } from './sources/sources.js';
export { compareVersions, parseVersion } from './version.js';
export type { Version } from './version.js';
export {
  DatabaseUnreachableError,
  InvalidMigrationsError,
  InvalidVersionError,
  LockBusyError,
  LockLostError,
  MigrationFailedError,
  MigrationInterruptedError,
  MigrationWarningError,
  MissingRightsError,
  SqlSyntaxError,
  StatementFailedError,
  ValidationFailedError,
  VerifyFailedError,
} from './errors.js';
export type { FailureEffect } from './errors.js';
export { createMigrator } from './runner/create-migrator.js';
export type { CodeMigration, MigrationContext } from './runner/migration-context.js';
