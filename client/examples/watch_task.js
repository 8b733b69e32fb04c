// Watches one task to its end: watch_task.js HOST:PORT TASK_ID
//
// Exits with 0 if the task succeeded, 1 if it failed, all or in part, 2 if called wrongly and 3 on a permanent error.
//
// It generates no stubs: @grpc/proto-loader reads the protos, which it seeks in the folders that PROTO_PATH names. With
// Debian's nodejs and golang-github-gogo-googleapis-dev (which has google/rpc/*.proto), and the npm packages
// @grpc/grpc-js and @grpc/proto-loader that scripts/setup installs, in the root of the repository:
//
//     PROTO_PATH=proto:/usr/share/gocode/src/github.com/gogo/googleapis NODE_PATH=tests/interop/node_modules \
//       node client/examples/watch_task.js 127.0.0.1:50051 TASK_ID
'use strict';

const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');
const { setTimeout: sleep } = require('node:timers/promises');

const kProtos = ['taskwatch/v1/task_service.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'];
const definition = protoLoader.loadSync(kProtos, {
  includeDirs: (process.env.PROTO_PATH ?? 'proto').split(':'),
  keepCase: true,
  longs: Number,
  enums: String,
  oneofs: true,
});
const { taskwatch } = grpc.loadPackageDefinition(definition);

// The milliseconds that the service asks to wait before the next attempt, or 0.
function retryDelay(error) {
  const [status] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (status === undefined) return 0;
  const { details = [] } = definition['google.rpc.Status'].deserialize(status);
  const packed = details.find(({ type_url }) => type_url.endsWith('/google.rpc.RetryInfo'));
  if (packed === undefined) return 0;
  const { seconds = 0, nanos = 0 } = definition['google.rpc.RetryInfo'].deserialize(packed.value).retry_delay ?? {};
  return seconds * 1000 + nanos / 1e6;
}

// Yields each state of the task, the final one last. Throws the error of grpc-js if it is a permanent one.
async function* watch(tasks, task_id) {
  let last_etag = '';
  let failures = 0;
  for (;;) {
    try {
      for await (const message of tasks.watchTask({ task_id, last_etag })) {
        failures = 0;
        // Anything else is a heartbeat, or of a kind that a later version of the service sends.
        if (message.event !== 'task') continue;
        last_etag = message.task.etag;
        yield message.task;
        if (message.task.done) return;
      }
    } catch (error) {
      // The service is restarting, has ended a stream that got old, or is out of reach.
      if (error.code !== grpc.status.UNAVAILABLE) throw error;
      // At random, so that a restarted service does not see all its watchers at once.
      const delay = Math.max(retryDelay(error), Math.random() * Math.min(20000, 500 * 2 ** failures));
      failures += 1;
      console.error(`${error.details}; again in ${(delay / 1000).toFixed(1)} s`);
      await sleep(delay);
    }
  }
}

async function main(args) {
  if (args.length !== 2) {
    console.error('usage: watch_task.js HOST:PORT TASK_ID');
    return 2;
  }
  // So that a connection that died in silence ends the stream with UNAVAILABLE, too.
  const options = { 'grpc.keepalive_time_ms': 20000 };
  const tasks = new taskwatch.v1.TaskService(args[0], grpc.credentials.createInsecure(), options);
  try {
    let state;
    for await (const task of watch(tasks, args[1])) {
      state = task.state;
      const done = (task.succeeded_count ?? 0) + (task.failed_count ?? 0);
      console.log(`${state} ${done}/${task.total_count ?? 0}`);
    }
    return state === 'TASK_STATE_SUCCEEDED' ? 0 : 1;
  } catch (error) {
    if (error.code === undefined) throw error;
    console.error(`${grpc.status[error.code]}: ${error.details}`);
    return 3;
  } finally {
    tasks.close();
  }
}

main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
