export { describeLease } from './describe-lease.js';
export { createPoolMonitor, PoolMonitor } from './monitor.js';
export { parseMonitorOptions as readPoolMonitorOptions } from './options.js';
export type { PoolMonitorOptions, ReclaimMode, ReclaimOptions, ServerOptions } from './options.js';
export { DEFAULT_THRESHOLDS } from './thresholds.js';
export type { Thresholds, ThresholdScope } from './thresholds.js';
export type { Finding, FindingEvent, FindingKind, Severity } from './finding.js';
export type { LeaseReport, MonitorReport, PoolReport, SiteReport, WaitReport } from './report.js';
export type { Blocking, ServerReport, ServerSession } from './server-report.js';
export { formatPlace } from './place.js';
export type { Place } from './place.js';
export type { DurationCounts, GaugeSample, MonitorView, PoolMetrics, SentAlert } from './view.js';
export { allowHeld, LeaseReclaimedError, openRequest, runInRequest } from '../connection/index.js';
export type { AppRequest, OpenRequest, PoolSupplier, PoolWatcher } from '../connection/index.js';
export { functionSink, pinoSink, SinkError, slackBot, slackWebhook, webhook } from './alerts/index.js';
export type {
  Alert,
  AlertCounts,
  AlertFact,
  AlertKind,
  AlertOptionsInput,
  AlertSink,
  DeliveryLimits,
  QuietHours,
  SinkErrorDetails,
  SinkOptions,
  SlackBotOptions,
  SlackWebhookOptions,
  StormCap,
  WebhookOptions,
} from './alerts/index.js';
export { bindOpenTelemetry, DURATION_BOUNDS_S, registerPromMetrics } from './metrics/index.js';
export type {
  DurationListener,
  DurationSource,
  OtelMeter,
  OtelObservable,
  OtelObservableResult,
  PoolDuration,
  PromClient,
  PromHistogram,
  PromMetric,
  PromMetricsOptions,
  PromRegistry,
} from './metrics/index.js';
export {
  leaseWords,
  parseStatusPageOptions,
  passwordGuard,
  readStatus,
  statusPage,
} from './status-page/index.js';
export type {
  PoolStatus,
  StatusAuthorizer,
  StatusDocument,
  StatusHandler,
  StatusPageOptions,
} from './status-page/index.js';
export { lookAtServer } from './server/index.js';
export type { ServerLook } from './server/index.js';
