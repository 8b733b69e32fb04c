// Three minutes without news, by the defaults of taskwatchd and of Debian's nginx, which gives up after one.
'use strict';

const { test } = require('node:test');
const { setTimeout } = require('node:timers/promises');

const { idleWhile, startNginx } = require('./nginx.js');
const { startServers } = require('./taskwatchd.js');

test('a stream idle for three minutes stays up behind nginx', async (t) => {
  // Seldom enough to be idle, often enough to see the end soon.
  const { standin, target } = await startServers(t, {
    taskwatchdFlags: ['--min_poll_interval=1s', '--max_poll_interval=10s'],
  });
  const client = await startNginx(t, target);
  await standin.setTask('t', 'waiting');

  await idleWhile(() => setTimeout(3 * 60_000), client.watchTask({ task_id: 't' }), standin, 't');
});
