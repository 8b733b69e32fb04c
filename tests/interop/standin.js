// Starts the stand-in for DingTalk's gateway for a test, and speaks with its control endpoint.
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const readline = require('node:readline');

// A running stand-in. `flags` are added to the command line.
class Standin {
  static async start(binary, flags = []) {
    const child = spawn(binary, ['--listen=127.0.0.1:0', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = readline.createInterface({ input: child.stdout });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the stand-in ended with ${code} before it listened`);
    });
    const [line] = await Promise.race([once(lines, 'line'), ended]);
    // It is to be seen only by who is still waiting for the line.
    ended.catch(() => {});
    return new Standin(child, new URL(line.split(' ').pop()));
  }

  constructor(child, url) {
    this.child = child;
    this.url = url;
  }

  // "127.0.0.1:8080"
  get host() {
    return this.url.host;
  }

  // Ends the process that start() began, and no other; returns its exit code.
  async stop() {
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const [code] = await exit;
    return code;
  }

  // Sends `body` (a value) to the control endpoint and returns its answer.
  async control(method, path, body) {
    const response = await fetch(new URL(`/control/${path}`, this.url), {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${answer.error}`);
    return answer;
  }
}

module.exports = { Standin };
