import { secretsHidden } from '../../src/cli/output/without-secrets.js';
import { describeAddress, readConnectionUrl } from '../../src/migrations/database/connection-url.js';

const hidden = (url: string): ((text: string) => string) =>
  secretsHidden({ options: { url, directories: [] }, configFile: undefined, sources: new Map() });

describe.each(['mysql://shop@db:3306/shop', 'postgres://shop@db/shop', 'mysql://db/shop'])(
  'of a url without a password, %s',
  (url) => {
    test.each(['', '/', '?ssl=true', '/?ssl=true'])('and with %j behind it, the address is shown', (end) => {
      const line = `${describeAddress(readConnectionUrl(url))} (mariadb 10.11)`;
      expect(hidden(url + end)(line)).toBe(line);
    });
  },
);

describe.each(['mysql://shop:s3cret%21@db:3306/shop', 'postgres://shop:s3cret%21@db/shop'])(
  'of a url with a password, %s',
  (url) => {
    test.each(['', '/', '?ssl=true', '/?ssl=true'])('and with %j behind it', (end) => {
      const hide = hidden(url + end);
      const line = `${describeAddress(readConnectionUrl(url))} (mariadb 10.11)`;
      expect(hide(line)).toBe(line);
      expect(hide(`connecting to ${url + end} failed`)).toBe('connecting to *** failed');
      expect(hide('password s3cret! or s3cret%21')).toBe('password *** or ***');
    });
  },
);

test('a url with a short password is hidden as a whole, and its letters are not', () => {
  const hide = hidden('mysql://shop:a@db/shop');
  expect(hide('mysql://shop:a@db/shop is a url')).toBe('*** is a url');
});

test.each(['password', 'sslpassword', 'access_token'])(
  'the value of the parameter %s is a secret',
  (name) => {
    const url = `postgres://shop@db/shop?a=b&${name}=s3cret&c=d`;
    expect(hidden(url)(`${url} has s3cret`)).toBe('*** has ***');
  },
);
