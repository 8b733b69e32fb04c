// The service behind Debian's nginx, as it is met in untrusted networks.
'use strict';

const assert = require('node:assert');
const { describe, it } = require('node:test');

const { idleFor, startNginx } = require('./nginx.js');
const { startServers } = require('./taskwatchd.js');

describe('Behind nginx', { concurrency: 3 }, () => {
  it('an error keeps its details', async (t) => {
    const { target } = await startServers(t);
    const client = await startNginx(t, target);
    const error = await client.getTaskInfo({ task_id: 'nothing' }).then(assert.fail, (error) => error);

    assert.strictEqual(error.code, 'NOT_FOUND', error);
    assert.strictEqual(error.details.ErrorInfo.reason, 'TASK_NOT_FOUND');
  });

  it('a silent stream is cut off', async (t) => {
    const { standin, target } = await startServers(t);
    const client = await startNginx(t, target, 'grpc_read_timeout 1s;');
    await standin.setTask('t', 'waiting');
    const watch = client.watchTask({ task_id: 't', heartbeat_interval: { seconds: 60 } });
    await watch.nextTask();

    assert.strictEqual(await watch.next(), undefined);
    assert.notStrictEqual((await watch.end).code, 'OK');
  });

  // The time-out is three heartbeats long, so that a slow machine has ten seconds to be late.
  it('heartbeats keep a stream for longer than nginx would', async (t) => {
    const { standin, target } = await startServers(t, { taskwatchdFlags: ['--heartbeat_interval=5s'] });
    const client = await startNginx(t, target, 'grpc_read_timeout 15s;');
    await standin.setTask('t', 'waiting');

    await idleFor(20_000, client.watchTask({ task_id: 't' }), standin, 't');
  });
});
