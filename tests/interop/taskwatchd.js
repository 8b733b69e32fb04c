// Starts taskwatchd for a test, with a stand-in for DingTalk behind it.
'use strict';

const assert = require('node:assert');
const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { ServerProcess } = require('./server_process.js');
const { Standin } = require('./standin.js');
const { TaskwatchClient } = require('./taskwatch_client.js');

// A folder that is removed when the test `t` has ended. Its path is short enough for sockets.
function temporaryFolder(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'taskwatch-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

// Starts a stand-in that is ended with the test `t`. `token` is the access token that it takes, and `tokenFile` holds
// it.
async function startStandin(t, flags = []) {
  const token = `canary-${randomUUID()}`;
  const tokenFile = path.join(temporaryFolder(t), 'access_token');
  fs.writeFileSync(tokenFile, `${token}\n`);
  const standin = await Standin.start(process.env.STANDIN, ['--qps=0', `--access_token_file=${tokenFile}`, ...flags]);
  t.after(async () => assert.strictEqual(await standin.stop(), 0));
  return Object.assign(standin, { token, tokenFile });
}

// Starts a taskwatchd that asks `standin` and is ended with the test `t`, which fails if it does not end in good order
// or has printed the access token. `target` is where it serves, `client` a client of it.
//
// Polls are frequent, for the sake of the test's duration, and nothing is left behind.
async function startTaskwatchd(t, standin, flags = []) {
  const args = [
    '--listen=127.0.0.1:0',
    `--dingtalk_base_url=${standin.url.origin}`,
    `--access_token_file=${standin.tokenFile}`,
    '--state_file=:memory:',
    '--upstream_qps=0',
    '--upstream_monthly_calls=0',
    '--min_poll_interval=50ms',
    '--max_poll_interval=200ms',
    ...flags,
  ];
  const binary = process.env.TASKWATCHD;
  const server = await ServerProcess.start({ binary, args, stream: 'stderr', ready: /listening on (\S+),/ });
  const client = new TaskwatchClient(server.ready[1]);
  t.after(async () => {
    client.close();
    assert.strictEqual(await server.stop(), 0);
    assert.ok(!server.output.includes(standin.token), 'the log holds the access token');
  });
  return { server, client, target: server.ready[1] };
}

// Both of them.
async function startServers(t, { standinFlags, taskwatchdFlags } = {}) {
  const standin = await startStandin(t, standinFlags);
  return { standin, ...(await startTaskwatchd(t, standin, taskwatchdFlags)) };
}

module.exports = { startServers, startStandin, startTaskwatchd, temporaryFolder };
