import { messageOf } from '../../core/index.js';
import { DatabaseUnreachableError } from '../errors.js';
import { databaseCodeOf } from './explain-error.js';

/** By the server's code, or by that of the network or of TLS. */
const NEXT_STEPS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'Nothing listens there: start the server, or correct host and port of the url.'],
  ['ENOTFOUND', 'No such host name: correct the host of the url, or the DNS of this machine.'],
  ['EAI_AGAIN', 'The host name could not be looked up: check the DNS of this machine.'],
  ['ETIMEDOUT', 'It did not answer in time: check firewall, security group and network policy on the way.'],
  ['EHOSTUNREACH', 'There is no route to it: check the network of this machine.'],
  ['ENETUNREACH', 'There is no route to it: check the network of this machine.'],
  [
    'ECONNRESET',
    'It closed the connection: check that the port speaks this database, and whether it wants TLS.',
  ],
  ['ENOENT', 'There is no such socket file: correct the folder in the url, or start the server.'],
  ['EACCES', 'This user may not open the socket file.'],
  ['28P01', 'Correct user and password of the url.'],
  ['28000', 'Correct the user of the url, or let it in: pg_hba.conf and LOGIN.'],
  ['3D000', 'Create the database, or correct its name at the end of the url.'],
  ['42501', 'GRANT CONNECT ON DATABASE … TO the user.'],
  ['53300', 'Run again when connections are free, or raise max_connections.'],
  ['57P03', 'The server is starting or stopping: run again in a moment.'],
  ['1045', 'Correct user and password of the url.'],
  ['1044', 'GRANT ALL ON the database TO the user.'],
  ['1698', 'Correct user and password of the url: this user may only come through the socket.'],
  ['1130', 'The server does not let this machine in: create the user for its host.'],
  ['1049', 'Create the database, or correct its name at the end of the url.'],
  ['1040', 'Run again when connections are free, or raise max_connections.'],
  ['1203', 'Run again when connections are free, or raise max_user_connections.'],
  ['1226', 'Run again when connections are free, or raise the limit of this user.'],
  ['1129', 'The server has blocked this machine: FLUSH HOSTS, then find out why connections broke off.'],
  ['3159', 'It wants TLS: add ?ssl=true to the url.'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', untrusted()],
  ['SELF_SIGNED_CERT_IN_CHAIN', untrusted()],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', untrusted()],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', untrusted()],
  ['CERT_HAS_EXPIRED', 'Renew the certificate of the server.'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'The certificate is for another name: use that name as the host.'],
]);

function untrusted(): string {
  return 'Its certificate is signed by nobody who is known here: name the authority (?sslrootcert=/path/ca.pem on PostgreSQL, NODE_EXTRA_CA_CERTS elsewhere).';
}

/** By what the driver says, where it gives no code. */
const BY_TEXT: readonly (readonly [pattern: RegExp, next: string])[] = [
  [/no encryption|SSL off/i, 'It wants TLS: add ?sslmode=verify-full to the url (?ssl=true on MySQL).'],
  [
    /does not support SSL|does not support secure|ssl not enabled/i,
    'It has no TLS: take sslmode or ssl out of the url.',
  ],
  [
    /timeout exceeded when trying to connect|pool timeout|AcquireTimeout/i,
    'No connection of the pool was free in time: raise its limit, or give a url instead of a pool.',
  ],
  [/timeout/i, NEXT_STEPS.get('ETIMEDOUT')!],
  [/password must be a string/i, 'The url has no password, and the server wants one.'],
  [
    /RSA public key/i,
    'Without TLS this login needs the key of the server: add ?ssl=true to the url, or ?allowPublicKeyRetrieval=true.',
  ],
];

/** Why no session could be opened, and the next step. `address` is without secrets. */
export function unreachable(address: string, error: unknown): DatabaseUnreachableError {
  const { code } = (error ?? {}) as { code?: unknown };
  const known = databaseCodeOf(error) ?? (typeof code === 'string' ? code : undefined);
  const said = reasonOf(error);
  const database = known === '1044' && /to database '([^']+)'/.exec(said)?.[1];
  const next =
    ((database && `GRANT ALL ON \`${database}\`.* TO the user.`) ||
      BY_TEXT.find(([pattern]) => pattern.test(said) && known !== '28P01')?.[1]) ??
    NEXT_STEPS.get(known ?? '') ??
    'Check that the url is right and that the server is up.';
  return new DatabaseUnreachableError(`${address} cannot be reached: ${said} ${next}`, {
    cause: error,
    retryable: known === undefined || !/^(28|3D|42|1045|1044|1049)/.test(known),
  });
}

/** A host with several addresses fails with one error for each, and no message of its own. */
function reasonOf(error: unknown): string {
  const { errors } = (error ?? {}) as { errors?: unknown };
  const first: unknown = Array.isArray(errors) && errors.length > 0 ? errors[0] : error;
  const text = messageOf(first).replace(/\s+/g, ' ').trim();
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
