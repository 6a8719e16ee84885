// One pod of a service that leaks: as many connections as it is told, given back when it is told.
const [root, given] = process.argv.slice(2);
const { driver, config, groupMs, instance, slack } = JSON.parse(given);
const { createPoolMonitor, slackWebhook } = require(`${root}/pool-monitor/index.js`);

const isPg = driver === 'pg';
const pool = isPg ? new (require('pg').Pool)(config) : require('mysql2/promise').createPool(config);
if (isPg) pool.on('error', () => {});
const monitor = createPoolMonitor({
  service: 'orders',
  // Of this file alone: on MariaDB a fleet is one for the whole server, which the other files have as well.
  environment: 'one message',
  instance,
  sweepEveryMs: 100,
  thresholds: { suspectAfterMs: 300, leakAfterMs: 600 },
  alerts: { sinks: [slackWebhook({ url: slack })], groupMs, resolveMs: 300 },
}).start();
monitor.watch(pool, { name: 'shop' });

const lost = [];
async function placeOrder() {
  const client = await (isPg ? pool.connect() : pool.getConnection());
  lost.push(client);
  await client.query('SELECT 1');
}

const commands = {
  leak: (count) => Promise.all(Array.from({ length: count }, placeOrder)),
  release: () => lost.splice(0).forEach((client) => client.release()),
};
process.on('message', async ({ command, count }) => {
  await commands[command](count);
  process.send(command);
});
process.once('disconnect', async () => {
  await monitor.stop();
  await pool.end();
});
pool.query('SELECT 1').then(() => process.send('ready'));
