// A server program that a test starts, waits for and ends: exactly that process, by its id.
//
// No wait is endless: see within().
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const readline = require('node:readline');

// The longest that anything is waited for: half of what Bazel gives the test, so that the other half is left to tell of
// it. No expectation of any machine.
const patience = { milliseconds: Number(process.env.TEST_TIMEOUT ?? 300) * 500 };

// Those that have not ended.
const running = new Set();
// For when the test itself ends before it could stop them.
process.on('exit', () => running.forEach(({ child }) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

// Settles as `promise` does, or rejects when the patience is at its end, with `what` was waited for and what all servers
// have printed.
async function within(promise, what) {
  const { milliseconds } = patience;
  let timer;
  const giveUp = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const printed = [...running].map((server) => `${server.name} printed:\n${server.output}`);
      reject(new Error([`waited ${milliseconds / 1000} s for ${what}`, ...printed].join('\n')));
    }, milliseconds);
  });
  try {
    return await Promise.race([promise, giveUp]);
  } finally {
    clearTimeout(timer);
  }
}

class ServerProcess {
  #ended;

  // Runs `binary` with `args` until a line on `stream` ("stdout" or "stderr") matches `ready`. The match is `ready`
  // then. Rejects if the program ends without it. What it prints is repeated on this process's stderr.
  static async start({ binary, args, env = process.env, stream, ready }) {
    const child = spawn(binary, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new ServerProcess(child, binary);
    const isReady = new Promise((resolve, reject) => {
      server.#ended.then(({ code }) => reject(new Error(`${binary} ended with ${code} before it was ready`)), reject);
      server.onLine[stream] = (line) => {
        const match = line.match(ready);
        if (match) resolve(match);
      };
    });
    try {
      server.ready = await within(isReady, `${binary} to print ${ready} on ${stream}`);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return server;
  }

  constructor(child, name) {
    this.child = child;
    this.name = name;
    // All that it has printed.
    this.output = '';
    this.onLine = {};
    for (const stream of ['stdout', 'stderr']) {
      readline.createInterface({ input: child[stream] }).on('line', (line) => {
        this.output += line + '\n';
        process.stderr.write(`[${child.pid}] ${line}\n`);
        this.onLine[stream]?.(line);
      });
    }
    running.add(this);
    // "close" comes when all that it printed has been read, too.
    this.#ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
    this.#ended.catch(() => {}).finally(() => running.delete(this));
  }

  // How it has ended: {code, signal}, once it has.
  get ended() {
    return within(this.#ended, `${this.name} to end`);
  }

  // Asks it to end.
  terminate() {
    this.child.kill('SIGTERM');
  }

  // Ends it, if it has not ended, and returns its exit code; null if a signal has killed it.
  async stop() {
    this.terminate();
    return (await this.ended).code;
  }
}

module.exports = { ServerProcess, patience, within };
