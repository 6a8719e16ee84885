import { setTimeout as sleep } from 'node:timers/promises';
import { useDatabase } from '../../harness/database.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { leakOf, Member, type MemberOptions } from './member.js';

const postgres = useDatabase();
const mysql = useMysqlDatabase();

/** Three processes of a machine that does other things as well take their time. */
async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 25_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited for: ${what}`);
    await sleep(20);
  }
}

const partsOf = (url: string): object => {
  const { hostname: host, port, username: user, password, pathname } = new URL(url);
  return { host, port: Number(port), user, password, database: pathname.slice(1) };
};

const DATABASES: Readonly<
  Record<string, { db: typeof postgres | typeof mysql; options(): Omit<MemberOptions, 'instance'> }>
> = {
  'PostgreSQL, pg': {
    db: postgres,
    options: () => ({ driver: 'pg', config: { connectionString: postgres.url } }),
  },
  'MariaDB, mysql2': { db: mysql, options: () => ({ driver: 'mysql2', config: { uri: mysql.url } }) },
  'MariaDB, mariadb': {
    db: mysql,
    options: () => ({ driver: 'mariadb', config: { ...partsOf(mysql.url), connectionLimit: 3 } }),
  },
};

test.each(Object.entries(DATABASES))(
  'of three processes on %s one sends, with the counts of all; another one when it is killed',
  async (_name, { db, options }) => {
    const members = ['pod-1', 'pod-2', 'pod-3'].map((instance) => new Member({ ...options(), instance }));
    db.defer(() => Promise.all(members.map((member) => member.kill())).then(() => undefined));
    const senders = (): Member[] => members.filter(({ sends }) => sends);
    await until('a sender', () => senders().length === 1);
    members.forEach((member, index) =>
      member.share(leakOf('leak|place', index + 1, `é ' " ${'x'.repeat(index * 30)}`)),
    );
    const all: Record<string, number> = { 'pod-1': 1, 'pod-2': 2, 'pod-3': 3 };
    const { 'pod-1': _, ...ofTwoAndThree } = all;
    await until('each to hear both others', () =>
      members.every((member) => {
        const others = Object.entries(all).filter(([instance]) => instance !== member.instance);
        const heard = member.leaked('leak|place');
        return (
          Object.keys(heard).length === 2 && others.every(([instance, leaked]) => heard[instance] === leaked)
        );
      }),
    );
    expect(members[0]!.leaked('leak|place')).toEqual(ofTwoAndThree);
    const [first] = senders();
    expect(senders()).toHaveLength(1);
    expect(
      first!.told.others.flatMap(([, share]) => share.sightings).map(({ evidence }) => evidence),
    ).toContainEqual(expect.stringMatching(/^é ' " /));

    await first!.kill();
    first!.told = { role: { sends: false }, others: [] };
    const left = members.filter((member) => member !== first);
    await until('another one', () => senders().length === 1);
    await until('the dead one to be forgotten', () =>
      left.every((member) => Object.keys(member.leaked('leak|place')).length === 1),
    );
    const [second] = senders();
    const [last] = left.filter((member) => member !== second);
    expect(Object.keys(second!.leaked('leak|place'))).toEqual([last!.instance]);

    last!.share({ sightings: [], told: [] });
    await until('its end to be heard', () => Object.keys(second!.leaked('leak|place')).length === 0);
    expect(await second!.leave()).toBe(0);
    second!.told = { role: { sends: false }, others: [] };
    // What the one that left had shared may be heard once more before it is known to be gone.
    await until('the last one, alone', () => last!.sends && last!.told.others.length === 0);
    expect(last!.told).toEqual({ role: { sends: true }, others: [] });
    expect(await last!.leave()).toBe(0);
  },
  60_000,
);
