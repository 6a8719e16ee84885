import { afterFile } from './jest-scope.js';
import { OpenHandles } from './open-handles.js';

/** jest `setupFilesAfterEnv`: a file that leaves sockets, servers or child processes open fails. */
const handles = new OpenHandles();

afterFile(() => handles.findLeft({ graceMs: 2000 }));
