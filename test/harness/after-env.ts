import { afterFile } from './jest-scope.js';
import { LEAK_GRACE_MS } from './leaks.js';
import { OpenHandles } from './open-handles.js';

/** jest `setupFilesAfterEnv`: a file that leaves sockets, servers or child processes open fails. */
const handles = new OpenHandles();

afterFile(() => handles.findLeft({ graceMs: LEAK_GRACE_MS }));
