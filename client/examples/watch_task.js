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

// In seconds: the service sends something at least so often, and is taken for dead when it does not.
const kHeartbeat = 5;
const kSilence = 3 * kHeartbeat;
// A service that asks to wait longer is not waited for.
const kLongestDelay = 600;
// After so many failures in a row that only a broken connection or proxy explains, the next is believed.
const kMaxUnexplained = 5;

const { ABORTED, CANCELLED, DEADLINE_EXCEEDED, INTERNAL, RESOURCE_EXHAUSTED, UNAVAILABLE, UNKNOWN } = grpc.status;
// CANCELLED is what read() ends a silent stream with.
const kAlwaysPass = [UNAVAILABLE, CANCELLED];
const kPassWithoutReason = [ABORTED, DEADLINE_EXCEEDED, INTERNAL, RESOURCE_EXHAUSTED, UNKNOWN];

// The service's reason, empty if the error is not its own, and the seconds that it asks to wait, if it does.
function detailsOf(error) {
  const [status] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (status === undefined) return { reason: '' };
  const { details = [] } = definition['google.rpc.Status'].deserialize(status);
  const detail = (name) => {
    const packed = details.find(({ type_url }) => type_url.endsWith(`/${name}`));
    return packed && definition[name].deserialize(packed.value);
  };
  const asked = detail('google.rpc.RetryInfo')?.retry_delay;
  return {
    reason: detail('google.rpc.ErrorInfo')?.reason ?? '',
    asked: asked && (asked.seconds ?? 0) + (asked.nanos ?? 0) / 1e9,
  };
}

// Yields the messages of a stream, and cancels it when none comes for kSilence.
async function* read(stream) {
  let timer;
  const wait = () => (timer = setTimeout(() => stream.cancel(), kSilence * 1000));
  try {
    wait();
    for await (const message of stream) {
      clearTimeout(timer);
      yield message;
      wait();
    }
  } finally {
    clearTimeout(timer);
  }
}

const isBefore = (a, b) => a.seconds - b.seconds < 0 || (a.seconds === b.seconds && a.nanos < b.nanos);

// Whether a state is to be told after the last one. Another server may still have an older one.
const isNews = (task, last) => task.done || (task.etag !== last.etag && !isBefore(task.observe_time, last.observe_time));

// Whether the watch is to be resumed after an error; `unexplained` is how many without a reason there were in a row.
function passes(error, { reason, asked }, unexplained) {
  if (kAlwaysPass.includes(error.code)) return true;
  if (reason) return error.code === RESOURCE_EXHAUSTED && asked <= kLongestDelay;
  return kPassWithoutReason.includes(error.code) && unexplained <= kMaxUnexplained;
}

// Yields each state of the task, the final one last. Throws the error of grpc-js if it is a permanent one.
async function* watch(tasks, task_id) {
  let last = { etag: '', observe_time: { seconds: 0, nanos: 0 } };
  let failures = 0;
  let unexplained = 0;
  for (;;) {
    let problem = 'the stream ended before the task did';
    let asked;
    try {
      const request = { task_id, last_etag: last.etag, heartbeat_interval: { seconds: kHeartbeat } };
      for await (const message of read(tasks.watchTask(request))) {
        failures = unexplained = 0;
        const { task, heartbeat } = message;
        // It is neither if it is of a kind that a later version of the service sends.
        if (task && isNews(task, last)) {
          last = task;
          yield task;
          if (task.done) return;
        } else if (last.etag !== '' && (task ?? heartbeat)?.etag === last.etag) {
          last.observe_time = (task ?? heartbeat).observe_time;
        }
      }
    } catch (error) {
      if (error.code === undefined) throw error;
      const details = detailsOf(error);
      if (!kAlwaysPass.includes(error.code)) unexplained += 1;
      if (!passes(error, details, unexplained)) throw error;
      problem = error.details;
      asked = details.asked;
    }
    // At random, so that a restarted service does not see all its watchers at once.
    const delay = (asked ?? 0) + Math.random() * Math.min(20, 0.5 * 2 ** failures);
    failures += 1;
    console.error(`${problem}; again in ${delay.toFixed(1)} s`);
    await sleep(delay * 1000);
  }
}

async function main(args) {
  if (args.length !== 2) {
    console.error('usage: watch_task.js HOST:PORT TASK_ID');
    return 2;
  }
  // So that a connection that died in silence ends the stream, too, before kSilence does.
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
