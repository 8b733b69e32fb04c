// Starts the stand-in for DingTalk's gateway for a test, and speaks with its control endpoint.
'use strict';

const { once } = require('node:events');
const http = require('node:http');
const https = require('node:https');
const { json } = require('node:stream/consumers');

const { ServerProcess, within } = require('./server_process.js');

// A running stand-in. `flags` are added to the command line.
class Standin {
  static async start(binary, flags = []) {
    const args = ['--listen=127.0.0.1:0', ...flags];
    return new Standin(await ServerProcess.start({ binary, args, stream: 'stdout', ready: /listening on (\S+)/ }));
  }

  constructor(server) {
    this.server = server;
    this.url = new URL(server.ready[1]);
  }

  // "127.0.0.1:8080"
  get host() {
    return this.url.host;
  }

  // Ends the process that start() began, and no other; returns its exit code.
  async stop() {
    return this.server.stop();
  }

  // Sends `body` (a value) to the control endpoint and returns its answer.
  async control(method, path, body) {
    // Whatever certificate the stand-in shows to the client under test, this is its own test speaking.
    const { request } = this.url.protocol === 'https:' ? https : http;
    const call = request(new URL(`/control/${path}`, this.url), { method, agent: false, rejectUnauthorized: false });
    call.end(body === undefined ? '' : JSON.stringify(body));
    const read = async () => {
      const [response] = await once(call, 'response');
      return [response, await json(response)];
    };
    const [response, answer] = await within(read(), `the stand-in's answer to ${method} ${path}`);
    if (response.statusCode !== 200) throw new Error(`${method} ${path}: ${answer.error}`);
    return answer;
  }

  // Lets a task begin anew, to stay waiting ("waiting"), running ("running", nothing done yet), or over with one of
  // DingTalk's statuses (a number): time does not change it.
  async setTask(task_id, state) {
    const hours = 24 * 3600 * 1000;
    const plan = {
      waiting: { waiting_ms: hours, running_ms: 0 },
      running: { waiting_ms: 0, running_ms: hours },
    }[state] ?? { waiting_ms: 0, running_ms: 0, outcome: state };
    await this.control('POST', 'tasks', { task_id, items: 4, ...plan });
  }

  // From now on, until the faults are cleared, the task call meets `fault`.
  async breakTaskCall(fault) {
    await this.control('POST', 'faults', { api: 'task_info', count: -1, ...fault });
  }

  async clearFaults() {
    await this.control('DELETE', 'faults');
  }

  // How many calls of all kinds it has seen.
  async callCount() {
    const { counts } = await this.control('GET', 'calls');
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }
}

module.exports = { Standin };
