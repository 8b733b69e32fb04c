// Starts Debian's nginx in front of a taskwatchd for a test.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { ServerProcess } = require('./server_process.js');
const { TaskwatchClient } = require('./taskwatch_client.js');

const kNginx = '/usr/sbin/nginx';

// A client of an nginx that passes calls on to `target`, and is ended with the test `t`. It listens on a socket in a
// folder of its own, as it cannot pick a free port. `directives` are added to its settings, which are its defaults.
async function startNginx(t, target, directives = '') {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'nginx-'));
  const socket = path.join(folder, 'socket');
  const client = new TaskwatchClient(`unix:${socket}`);
  let server;
  t.after(async () => {
    client.close();
    await server?.stop();
    fs.rmSync(folder, { recursive: true });
  });
  const temporaryPaths = ['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  // As root it would give its folders to another user, whom a sandbox may not know.
  const user = process.getuid() === 0 ? 'user root;' : '';
  fs.writeFileSync(
    path.join(folder, 'nginx.conf'),
    `${user}
     daemon off;
     master_process off;
     pid ${folder}/pid;
     error_log stderr notice;
     events {}
     http {
       access_log off;
       ${temporaryPaths.join('\n')}
       server {
         listen unix:${socket} http2;
         location / {
           grpc_pass grpc://${target};
           ${directives}
         }
       }
     }`,
  );
  server = await ServerProcess.start({
    binary: kNginx,
    // -e: where to complain before the settings are read.
    args: ['-p', folder, '-e', 'stderr', '-c', path.join(folder, 'nginx.conf')],
    stream: 'stderr',
    // Its last notice before it serves; the socket is open then.
    ready: /\[notice\].*: getrlimit/,
  });
  return client;
}

// Takes the heartbeats of `watch`, a stream of a task that is waiting, while `meanwhile` runs, an async function that is
// called once the stream is open. Then lets the task succeed and the stream come to its end.
async function idleWhile(meanwhile, watch, standin, task_id) {
  const { state, etag } = await watch.nextTask();
  assert.strictEqual(state, 'TASK_STATE_WAITING');
  let isEnough = false;
  const over = meanwhile().finally(() => (isEnough = true));
  // If it fails, that is told below.
  over.catch(() => {});
  while (!isEnough) {
    const message = await watch.next();
    if (message === undefined) assert.fail(`the stream ended: ${JSON.stringify(await watch.end)}`);
    assert.strictEqual(message.heartbeat?.etag, etag);
  }
  await over;
  await standin.setTask(task_id, 1);
  assert.strictEqual((await watch.nextTask()).state, 'TASK_STATE_SUCCEEDED');
  assert.strictEqual((await watch.end).code, 'OK');
}

module.exports = { idleWhile, startNginx };
