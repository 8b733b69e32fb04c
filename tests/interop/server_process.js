// A server program that a test starts, waits for and ends: exactly that process, by its id.
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const readline = require('node:readline');

// Those that have not ended, for when the test itself ends before it could stop them.
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

class ServerProcess {
  // Runs `binary` with `args` until a line on `stream` ("stdout" or "stderr") matches `ready`. The match is `ready`
  // then. Rejects if the program ends without it. What it prints is repeated on this process's stderr.
  static async start({ binary, args, env = process.env, stream, ready }) {
    const child = spawn(binary, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new ServerProcess(child);
    server.ready = await new Promise((resolve, reject) => {
      server.ended.then(({ code }) => reject(new Error(`${binary} ended with ${code} before it was ready`)), reject);
      server.onLine[stream] = (line) => {
        const match = line.match(ready);
        if (match) resolve(match);
      };
    });
    return server;
  }

  constructor(child) {
    this.child = child;
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
    running.add(child);
    // "close" comes when all that it printed has been read, too.
    this.ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
    this.ended.catch(() => {}).finally(() => running.delete(child));
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

module.exports = { ServerProcess };
