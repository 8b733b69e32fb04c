// How server_process.js starts programs, and gives up on them.
'use strict';

const assert = require('node:assert');
const { describe, it } = require('node:test');

const { ServerProcess, patience, within } = require('./server_process.js');

// Runs a shell until it prints "ready".
const shell = (script) => ServerProcess.start({ binary: '/bin/sh', args: ['-c', script], stream: 'stdout', ready: /ready/ });

// Checks that `wait`, an async function, is given up soon, with an error that matches.
async function assertGivenUp(wait, error) {
  const { milliseconds } = patience;
  patience.milliseconds = 100;
  try {
    await assert.rejects(wait(), error);
  } finally {
    patience.milliseconds = milliseconds;
  }
}

describe('A server process', () => {
  it('that ends before it is ready is told', async () => {
    await assert.rejects(shell('exit 2'), /\/bin\/sh ended with 2 before it was ready/);
  });

  it('ends when it is to', async () => {
    const server = await shell('echo ready; exec sleep 1000');

    assert.strictEqual(await server.stop(), null);
    assert.deepStrictEqual(await server.ended, { code: null, signal: 'SIGTERM' });
  });

  it('that does not get ready is told, and what others have printed', async (t) => {
    const other = await shell('echo I am ready; exec sleep 1000');
    t.after(() => other.stop());

    await assertGivenUp(
      () => shell('exec sleep 1000'),
      /^Error: waited 0.1 s for \/bin\/sh to print \/ready\/ on stdout\n\/bin\/sh printed:\nI am ready\n/,
    );
  });

  it('that does not end is told', async (t) => {
    const server = await shell('echo ready; exec sleep 1000');
    t.after(() => server.child.kill('SIGKILL'));

    await assertGivenUp(() => server.ended, /^Error: waited 0.1 s for \/bin\/sh to end\n\/bin\/sh printed:\nready\n/);
  });
});

describe('A wait', () => {
  it('ends as what is waited for does', async () => {
    assert.strictEqual(await within(Promise.resolve(7), 'seven'), 7);
    await assert.rejects(within(Promise.reject(new Error('broken')), 'seven'), /^Error: broken$/);
  });

  it('is given up', async () => {
    await assertGivenUp(() => within(new Promise(() => {}), 'rain'), /^Error: waited 0.1 s for rain/);
  });
});
