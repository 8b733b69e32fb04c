// The service behind Debian's nginx, as it is met in untrusted networks.
'use strict';

const assert = require('node:assert');
const { describe, it } = require('node:test');

const { idleWhile, startNginx } = require('./nginx.js');
const { startServers } = require('./taskwatchd.js');

describe('Behind nginx', { concurrency: 2 }, () => {
  it('an error keeps its details', async (t) => {
    const { target } = await startServers(t);
    const client = await startNginx(t, target);
    const error = await client.getTaskInfo({ task_id: 'nothing' }).then(assert.fail, (error) => error);

    assert.strictEqual(error.code, 'NOT_FOUND', error);
    assert.strictEqual(error.details.ErrorInfo.reason, 'TASK_NOT_FOUND');
  });

  // Side by side, so that nobody has to know how long it takes nginx to cut a stream off. Many heartbeats fit into its
  // time-out: a slow machine has five seconds to be late with all of them.
  it('heartbeats keep a stream for longer than a silent one', async (t) => {
    const { standin, target } = await startServers(t, { taskwatchdFlags: ['--min_heartbeat_interval=100ms'] });
    const client = await startNginx(t, target, 'grpc_read_timeout 5s;');
    await standin.setTask('t', 'waiting');
    const aSilentOneIsCutOff = async () => {
      const silent = client.watchTask({ task_id: 't', heartbeat_interval: { seconds: 60 } });
      await silent.nextTask();
      assert.strictEqual(await silent.next(), undefined);
      assert.notStrictEqual((await silent.end).code, 'OK');
    };

    const watch = client.watchTask({ task_id: 't', heartbeat_interval: { nanos: 100e6 } });
    await idleWhile(aSilentOneIsCutOff, watch, standin, 't');
  });
});
