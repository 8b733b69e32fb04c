// taskwatch.v1 and grpc.health.v1 by @grpc/grpc-js, with errors whose details are decoded.
'use strict';

const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const { within } = require('./server_process.js');

const kLoaderOptions = { keepCase: true, longs: Number, enums: String, oneofs: true, objects: true };

// The folder below which `import "${name}"` is found, of the file in the environment variable.
function importRoot(variable, name) {
  return process.env[variable].slice(0, -name.length);
}

const kErrorDetails = 'google/rpc/error_details.proto';
const kHealth = 'grpc/health/v1/health.proto';
const kTaskService = 'taskwatch/v1/task_service.proto';
const definition = protoLoader.loadSync([kTaskService, kHealth, kErrorDetails], {
  ...kLoaderOptions,
  includeDirs: [
    importRoot('TASK_SERVICE_PROTO', kTaskService),
    importRoot('HEALTH_PROTO', kHealth),
    importRoot('ERROR_DETAILS_PROTO', kErrorDetails),
  ],
});
const { taskwatch, grpc: grpcServices } = grpc.loadPackageDefinition(definition);

// {ErrorInfo: {...}, RetryInfo: {...}, ...} of the details (Any) of a google.rpc.Status.
function decodeDetails(details = []) {
  return Object.fromEntries(
    details.map(({ type_url, value }) => {
      const name = type_url.split('/').pop();
      return [name.split('.').pop(), definition[name].deserialize(value)];
    }),
  );
}

// {code: "NOT_FOUND", message, details} of a google.rpc.Status.
function readStatus({ code, message, details }) {
  return { code: grpc.status[code], message, details: decodeDetails(details) };
}

// The same of how a call ended. Its google.rpc.Status must repeat the code and the message.
function readEnd({ code, details: message, metadata }) {
  const [serialized] = metadata.get('grpc-status-details-bin');
  const end = { code: grpc.status[code], message, details: {} };
  if (serialized === undefined) return end;
  const status = readStatus(definition['google.rpc.Status'].deserialize(serialized));
  if (status.code !== end.code || status.message !== end.message) {
    throw new Error(`it ended with ${end.code} "${end.message}", but details of ${status.code} "${status.message}"`);
  }
  return status;
}

// A call that did not end with OK: `code`, `message` and `details` as readStatus gives them.
class CallError extends Error {
  constructor({ code, message, details }) {
    super(message);
    Object.assign(this, { code, details });
  }
}

// The messages of a stream, to be taken one after the other.
class MessageStream {
  #messages = [];
  #wake = () => {};
  #done = false;
  #end;

  // `name` is for people.
  constructor(call, name) {
    this.call = call;
    this.name = name;
    // Whether response headers have come.
    this.sawHeaders = false;
    this.#end = Promise.all([
      new Promise((resolve) => call.on('status', resolve)),
      new Promise((resolve) => call.on('end', resolve)),
    ]).then(([status]) => {
      this.#done = true;
      this.#wake();
      return readEnd(status);
    });
    this.#end.catch(() => {});
    call.on('metadata', () => (this.sawHeaders = true));
    // The status says the same.
    call.on('error', () => {});
    call.on('data', (message) => {
      this.#messages.push(message);
      this.#wake();
    });
  }

  // How the stream has ended, once it has.
  get end() {
    return within(this.#end, `the end of ${this.name}`);
  }

  // The next message; undefined when there are no more.
  async next() {
    while (this.#messages.length === 0) {
      if (this.#done) return undefined;
      await within(new Promise((resolve) => (this.#wake = resolve)), `the next message of ${this.name}`);
    }
    return this.#messages.shift();
  }

  // The next message for which `predicate` holds; those before it are dropped.
  async nextThat(predicate) {
    for (let message; (message = await this.next()) !== undefined; ) {
      if (predicate(message)) return message;
    }
    throw new Error(`the stream ended before: ${JSON.stringify(await this.end)}`);
  }

  // The next state of the task, heartbeats aside.
  async nextTask() {
    return (await this.nextThat(({ event }) => event === 'task')).task;
  }

  cancel() {
    this.call.cancel();
  }
}

class TaskwatchClient {
  constructor(target) {
    const credentials = grpc.credentials.createInsecure();
    this.tasks = new taskwatch.v1.TaskService(target, credentials);
    this.health = new grpcServices.health.v1.Health(target, credentials);
  }

  // `options` as grpc-js has them, for one: {deadline: Date}. Rejects with a CallError.
  async getTaskInfo(request, options) {
    return (await this.#unary(this.tasks, 'GetTaskInfo', request, options)).task;
  }

  async waitTask(request, options) {
    return (await this.#unary(this.tasks, 'WaitTask', request, options)).task;
  }

  watchTask(request, options = {}) {
    return new MessageStream(this.tasks.WatchTask(request, options), `WatchTask ${JSON.stringify(request)}`);
  }

  async checkHealth(service = '') {
    return (await this.#unary(this.health, 'Check', { service })).status;
  }

  watchHealth(service = '') {
    return new MessageStream(this.health.Watch({ service }), `the health of "${service}"`);
  }

  close() {
    this.tasks.close();
    this.health.close();
  }

  #unary(stub, method, request, options = {}) {
    const answer = new Promise((resolve, reject) => {
      const call = stub[method](request, options, (error, response) => {
        if (error === null) resolve(response);
        else reject(new CallError(readEnd(error)));
      });
      options.signal?.addEventListener('abort', () => call.cancel());
    });
    return within(answer, `the answer to ${method} ${JSON.stringify(request)}`);
  }
}

module.exports = { CallError, TaskwatchClient, decodeDetails, readStatus };
