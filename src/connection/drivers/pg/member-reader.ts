import type { PgClient } from './pg-types.js';

/**
 * Makes what reads a client's members on behalf of a face of it: methods run on the client itself (they may use
 * private fields) and return the face where they return the client, as `client.on()` does. A function that
 * somebody put on the client is a value like any other and comes back as it is.
 */
export function memberReader(): (client: PgClient, key: PropertyKey, face: PgClient) => unknown {
  const bound = new Map<unknown, unknown>();
  let boundTo: PgClient | undefined;
  return (client, key, face) => {
    const value: unknown = Reflect.get(client, key, client);
    if (typeof value !== 'function' || key === 'constructor' || Object.hasOwn(client, key)) return value;
    if (client !== boundTo) bound.clear();
    boundTo = client;
    let method = bound.get(value);
    if (!method) {
      method = (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(value, client, args);
        return result === client ? face : result;
      };
      bound.set(value, method);
    }
    return method;
  };
}
