// The service as buf curl sees it, which knows nothing of it but what server reflection tells.
'use strict';

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const path = require('node:path');
const { describe, it } = require('node:test');

const { within } = require('./server_process.js');
const { decodeDetails } = require('./taskwatch_client.js');
const { startServers, temporaryFolder } = require('./taskwatchd.js');

const kArchitecture = { arm64: 'aarch64' }[process.arch] ?? process.arch;
const kBuf = path.join(process.env.NODE_MODULES, `@bufbuild/buf-linux-${kArchitecture}/bin/buf`);
const kService = 'taskwatch.v1.TaskService';
// An exit code of buf curl is a gRPC code shifted three bits to the left.
const kNotFound = 5 << 3;

// Runs `buf curl` with `args` on `url`: {exitCode, stdout, stderr}.
async function bufCurl(t, url, args) {
  const env = { ...process.env, HOME: temporaryFolder(t) };
  const command = ['curl', '--http2-prior-knowledge', '--protocol', 'grpc', ...args, `http://${url}`];
  const run = new Promise((resolve, reject) => {
    execFile(kBuf, command, { env }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve({ exitCode: error?.code ?? 0, stdout, stderr });
    });
  });
  return within(run, `buf ${command.join(' ')}`);
}

// The messages of an output: JSON objects one after the other, each ending with a brace at the start of a line.
function messages(output) {
  return output
    .split(/(?<=^})\n/m)
    .filter((text) => text.trim() !== '')
    .map((text) => JSON.parse(text));
}

describe('buf curl', { concurrency: 2 }, () => {
  it('lists the services', async (t) => {
    const { target } = await startServers(t);
    const { stdout } = await bufCurl(t, target, ['--list-services']);

    assert.deepStrictEqual(stdout.trim().split('\n'), [
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      kService,
    ]);
  });

  it('lists the methods, so that every service is described', async (t) => {
    const { target } = await startServers(t);
    const { stdout, stderr } = await bufCurl(t, target, ['--list-methods']);

    for (const method of ['GetTaskInfo', 'WaitTask', 'WatchTask'].map((name) => `${kService}/${name}`)) {
      assert.ok(stdout.split('\n').includes(method), `${method} is not in:\n${stdout}${stderr}`);
    }
    assert.match(stdout, /^grpc\.health\.v1\.Health\/Check$/m);
  });

  it('reads a task', async (t) => {
    const { target } = await startServers(t);
    const { stdout } = await bufCurl(t, `${target}/${kService}/GetTaskInfo`, ['-d', '{"task_id":"abcd"}']);
    const { etag, observeTime, changeTime, ...task } = JSON.parse(stdout).task;

    assert.deepStrictEqual(task, {
      taskId: 'abcd',
      state: 'TASK_STATE_PARTIALLY_FAILED',
      done: true,
      totalCount: '1',
      succeededCount: '1',
      failedCount: '0',
      upstreamStatus: 2,
    });
  });

  it('shows an error with its details', async (t) => {
    const { target } = await startServers(t);
    const { exitCode, stderr } = await bufCurl(t, `${target}/${kService}/GetTaskInfo`, ['-d', '{"task_id":"nothing"}']);
    const { code, message, details } = JSON.parse(stderr);
    // It shows them as they are encoded.
    const { ErrorInfo } = decodeDetails(
      details.map(({ type, value }) => ({ type_url: type, value: Buffer.from(value, 'base64') })),
    );

    assert.strictEqual(exitCode, kNotFound);
    assert.strictEqual(code, 'not_found');
    assert.match(message, /DingTalk knows no such task/);
    assert.strictEqual(ErrorInfo.reason, 'TASK_NOT_FOUND');
    assert.strictEqual(ErrorInfo.metadata.upstream_code, 'taskNotExist');
  });

  it('watches a task to its end', async (t) => {
    const { standin, target } = await startServers(t);
    await standin.control('POST', 'tasks', { task_id: 't', waiting_ms: 500, running_ms: 1000, items: 1000 });
    const request = '{"task_id":"t","poll_interval":"0.05s"}';
    const { exitCode, stdout } = await bufCurl(t, `${target}/${kService}/WatchTask`, ['-d', request]);
    const tasks = messages(stdout).flatMap(({ task }) => task ?? []);

    assert.strictEqual(exitCode, 0);
    assert.deepStrictEqual(
      tasks.map(({ done }) => done ?? false),
      [...Array(tasks.length - 1).fill(false), true],
    );
    assert.strictEqual(tasks.at(-1).state, 'TASK_STATE_SUCCEEDED');
  });

  it('checks the health', async (t) => {
    const { target } = await startServers(t);
    const request = JSON.stringify({ service: kService });
    const { stdout, stderr } = await bufCurl(t, `${target}/grpc.health.v1.Health/Check`, ['-d', request]);

    assert.deepStrictEqual(messages(stdout), [{ status: 'SERVING' }], stderr);
  });
});
