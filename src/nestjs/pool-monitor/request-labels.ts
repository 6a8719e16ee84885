import type { IncomingMessage, ServerResponse } from 'node:http';
import { openRequest } from '../../pool-monitor/index.js';

/** What Nest calls the platform, and what is used of it. Both platforms have these methods. */
export interface HttpPlatform {
  getType(): string;
  use(...args: unknown[]): unknown;
  getInstance<T>(): T;
}

type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** Answers the route of a request as it was declared: `/orders/:id`; `undefined` before it is known, and without one. */
type RouteOf = (request: IncomingMessage) => string | undefined;

interface FastifyLike {
  addHook(name: 'onRequest', hook: FastifyHook): void;
}

type FastifyHook = (
  request: { readonly raw: IncomingMessage; readonly routeOptions?: { readonly url?: string | undefined } },
  reply: unknown,
  done: () => void,
) => void;

/** Makes each HTTP request a request of the application, under its method and route, until its answer is sent. */
export function labelRequests(platform: HttpPlatform): void {
  const routeOf = platform.getType() === 'fastify' ? fastifyRoutes(platform.getInstance()) : expressRoute;
  platform.use(labelling(routeOf));
}

function labelling(routeOf: RouteOf): Middleware {
  return (request, response, next) => {
    const { method = 'GET' } = request;
    const open = openRequest(() => `${method} ${routeOf(request) ?? '(no route)'}`);
    response.once('close', () => open.end());
    open.run(next);
  };
}

/** Of routers that are mounted the place is a part of the URL, which may hold what a user has written: it is left out. */
const expressRoute: RouteOf = (request) => {
  const path = (request as { route?: { path?: unknown } }).route?.path;
  return typeof path === 'string' ? path : undefined;
};

/** Fastify's middleware is given Node's own request, and knows no route. */
function fastifyRoutes(fastify: FastifyLike): RouteOf {
  const routes = new WeakMap<IncomingMessage, string>();
  fastify.addHook('onRequest', ({ raw, routeOptions }, _, done) => {
    if (routeOptions?.url !== undefined) routes.set(raw, routeOptions.url);
    done();
  });
  return (request) => routes.get(request);
}
