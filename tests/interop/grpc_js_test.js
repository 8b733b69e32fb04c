// The whole service as @grpc/grpc-js, a gRPC that is nobody's here, sees it.
'use strict';

const assert = require('node:assert');
const { describe, it } = require('node:test');

const { CallError, readStatus } = require('./taskwatch_client.js');
const { startServers, startStandin, startTaskwatchd } = require('./taskwatchd.js');
const { troubles: kTroubles } = require('./troubles.json');

// Each test has servers of its own; what takes long in some of them is waiting.
const kConcurrently = { concurrency: 4 };

const kEtag = /^[0-9a-f]{16}$/;
const kRequestId = /^[0-9A-F-]{36}$/;

// A Duration as the loader reads it: without what is zero.
const seconds = (count) => (count === 0 ? {} : { seconds: count });
const kSoon = { poll_interval: { nanos: 50e6 } };

// What the call was rejected with.
async function errorOf(call) {
  const error = await call.then(
    (response) => assert.fail(`the call succeeded: ${JSON.stringify(response)}`),
    (error) => error,
  );
  assert.ok(error instanceof CallError, error);
  return error;
}

// `details` with the id of the upstream's request, which must be the same everywhere, as "ID".
function withoutRequestId(details) {
  const id = details.RequestInfo?.request_id;
  if (id === undefined) return details;
  assert.match(id, kRequestId);
  return JSON.parse(JSON.stringify(details).replaceAll(id, 'ID'));
}

// The ErrorInfo of an error that DingTalk answered with, or that came of its not answering.
function errorInfo(reason, http_status, upstream_code) {
  const metadata = {};
  if (http_status !== undefined) metadata.http_status = String(http_status);
  if (upstream_code !== undefined) metadata.upstream_code = upstream_code;
  return { reason, domain: 'taskwatch', metadata };
}

// Details that also hold the id of DingTalk's request.
function traced(details) {
  const { ErrorInfo } = details;
  const metadata = { ...ErrorInfo.metadata, upstream_request_id: 'ID' };
  return { ...details, ErrorInfo: { ...ErrorInfo, metadata }, RequestInfo: { request_id: 'ID' } };
}

const kQuotaFailure = {
  violations: [{ subject: 'organisation', description: "DingTalk's calls per natural month (UTC+8) are used up" }],
};

describe('GetTaskInfo', kConcurrently, () => {
  it("reads the example of DingTalk's API page", async (t) => {
    const { client } = await startServers(t);
    const { etag, observe_time, change_time, ...task } = await client.getTaskInfo({ task_id: 'abcd' });

    assert.deepStrictEqual(task, {
      task_id: 'abcd',
      state: 'TASK_STATE_PARTIALLY_FAILED',
      done: true,
      total_count: 1,
      succeeded_count: 1,
      failed_count: 0,
      upstream_status: 2,
      _total_count: 'total_count',
      _succeeded_count: 'succeeded_count',
      _failed_count: 'failed_count',
      _upstream_status: 'upstream_status',
    });
    assert.match(etag, kEtag);
    assert.deepStrictEqual(observe_time, change_time);
  });

  it('leaves counts unset that DingTalk does not tell', async (t) => {
    const { client, standin } = await startServers(t);
    const task = { task_id: 't', waiting_ms: 0, running_ms: 3600e3, shape: 'none' };
    await standin.control('POST', 'tasks', task);
    const { total_count, state } = await client.getTaskInfo({ task_id: 't' });

    assert.strictEqual(state, 'TASK_STATE_RUNNING');
    assert.strictEqual(total_count, undefined);
  });

  for (const [status, state, done] of [
    ['waiting', 'TASK_STATE_WAITING', undefined],
    ['running', 'TASK_STATE_RUNNING', undefined],
    [1, 'TASK_STATE_SUCCEEDED', true],
    [3, 'TASK_STATE_ALL_FAILED', true],
    [4, 'TASK_STATE_FAILED', true],
    [7, 'TASK_STATE_UNRECOGNIZED', undefined],
  ]) {
    it(`tells of a task with DingTalk's status ${status}`, async (t) => {
      const { client, standin } = await startServers(t);
      await standin.setTask('t', status);
      const task = await client.getTaskInfo({ task_id: 't' });

      assert.deepStrictEqual([task.state, task.done], [state, done]);
    });
  }

  it('asks DingTalk once about a task that has ended', async (t) => {
    const { client, standin } = await startServers(t);
    const first = await client.getTaskInfo({ task_id: 'abcd' });
    const second = await client.getTaskInfo({ task_id: 'abcd', max_staleness: seconds(0) });

    assert.deepStrictEqual(second, first);
    assert.strictEqual(await standin.callCount(), 1);
  });

  it('ends at the deadline when DingTalk hangs, and works again after that', async (t) => {
    const { client, standin } = await startServers(t, { taskwatchdFlags: ['--upstream_timeout=1s'] });
    await standin.control('POST', 'faults', { kind: 'hang', api: 'task_info', count: 1 });
    const { code } = await errorOf(client.getTaskInfo({ task_id: 'abcd' }, { deadline: Date.now() + 300 }));
    await standin.clearFaults();

    assert.strictEqual(code, 'DEADLINE_EXCEEDED');
    assert.strictEqual((await client.getTaskInfo({ task_id: 'abcd' })).done, true);
  });

  it('can be cancelled', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.breakTaskCall({ kind: 'hang' });
    const abort = new AbortController();
    const call = errorOf(client.getTaskInfo({ task_id: 'abcd' }, { signal: abort.signal }));
    abort.abort();

    assert.strictEqual((await call).code, 'CANCELLED');
  });
});

describe('A bad request', kConcurrently, () => {
  for (const [name, task_id] of [
    ['..', '..'],
    ['../../v1.0/x', '../../v1.0/x'],
    ['a/b', 'a/b'],
    ['a%2e', 'a%2e'],
    ['the empty string', ''],
    ['129 characters', 'x'.repeat(129)],
    ['one with a NUL', 'a\0b'],
    ['one with a newline', 'a\n'],
  ]) {
    it(`with the task id ${name} is refused by every call, and DingTalk is not asked`, async (t) => {
      const { client, standin } = await startServers(t);
      const watch = client.watchTask({ task_id });
      const errors = [
        await errorOf(client.getTaskInfo({ task_id })),
        await errorOf(client.waitTask({ task_id })),
        await watch.end,
      ];

      for (const { code, message, details } of errors) {
        assert.strictEqual(code, 'INVALID_ARGUMENT');
        assert.deepStrictEqual(details, {
          ErrorInfo: errorInfo('INVALID_TASK_ID'),
          BadRequest: { field_violations: [{ field: 'task_id', description: message }] },
        });
      }
      assert.strictEqual(watch.sawHeaders, false);
      assert.strictEqual(await standin.callCount(), 0);
    });
  }

  for (const [method, field] of [
    ['getTaskInfo', 'max_staleness'],
    ['waitTask', 'timeout'],
  ]) {
    it(`with a negative ${field} is refused`, async (t) => {
      const { client } = await startServers(t);
      const { code, details } = await errorOf(client[method]({ task_id: 'abcd', [field]: seconds(-1) }));

      assert.strictEqual(code, 'INVALID_ARGUMENT');
      assert.strictEqual(details.ErrorInfo.reason, 'INVALID_REQUEST');
      assert.strictEqual(details.BadRequest.field_violations[0].field, field);
    });
  }
});

describe('Trouble with DingTalk', kConcurrently, () => {
  for (const { fault, hangs, ...want } of kTroubles) {
    it(`is told by code and details: ${fault.kind ?? fault.http_status}`, async (t) => {
      // Only what is to time out has a short time-out, so that a slow machine does not make it of another trouble.
      const taskwatchdFlags = [`--upstream_timeout=${hangs ? '500ms' : '1h'}`, '--upstream_error_budget=1s'];
      const { client, standin } = await startServers(t, { taskwatchdFlags });
      await standin.breakTaskCall(fault);
      const { code, message, details } = await errorOf(client.getTaskInfo({ task_id: 'abcd' }));

      const wantDetails = { ErrorInfo: errorInfo(want.reason, want.http_status, want.upstream_code) };
      if (Array.isArray(want.retry_seconds)) {
        const [least, most] = want.retry_seconds;
        const delay = details.RetryInfo.retry_delay.seconds;
        assert.ok(least <= delay && delay <= most, `try again in ${delay} s`);
        wantDetails.RetryInfo = details.RetryInfo;
      } else if (want.retry_seconds !== undefined) {
        wantDetails.RetryInfo = { retry_delay: seconds(want.retry_seconds) };
      }
      assert.strictEqual(code, want.code);
      assert.notStrictEqual(message, '');
      assert.deepStrictEqual(withoutRequestId(details), want.names_request ? traced(wantDetails) : wantDetails);
    });
  }

  it('is told by the missing permission', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.breakTaskCall({ kind: 'permission_denied', required_scopes: ['Some.Scope'] });

    assert.match((await errorOf(client.getTaskInfo({ task_id: 'abcd' }))).message, /Some\.Scope/);
  });

  it('is told by the quota and the time until the next month', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.breakTaskCall({ kind: 'monthly_limit' });
    const { code, details } = await errorOf(client.getTaskInfo({ task_id: 'abcd' }));
    const { RetryInfo, ...rest } = withoutRequestId(details);

    assert.strictEqual(code, 'RESOURCE_EXHAUSTED');
    assert.deepStrictEqual(
      rest,
      traced({
        ErrorInfo: errorInfo('MONTHLY_QUOTA_EXHAUSTED', 403, 'Forbidden.AccessDenied.ApiCountLimitForOrg'),
        QuotaFailure: kQuotaFailure,
      }),
    );
    assert.ok(RetryInfo.retry_delay.seconds > 0 && RetryInfo.retry_delay.seconds <= 31 * 24 * 3600);
  });

  it("is told by the credentials, which are not the caller's", async (t) => {
    const { client, standin } = await startServers(t);
    await standin.control('POST', 'expire_tokens');
    const { code, details } = await errorOf(client.getTaskInfo({ task_id: 'abcd' }));

    assert.strictEqual(code, 'FAILED_PRECONDITION');
    assert.deepStrictEqual(
      withoutRequestId(details),
      // Another token may be put into the file at any moment.
      traced({
        ErrorInfo: errorInfo('UPSTREAM_UNAUTHENTICATED', 400, 'InvalidAuthentication'),
        RetryInfo: { retry_delay: seconds(1) },
      }),
    );
  });

  it('is not made worse while a ban lasts', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.control('POST', 'faults', { kind: 'punish', api: 'task_info', count: 1 });
    await errorOf(client.getTaskInfo({ task_id: 'abcd' }));
    const { details } = await errorOf(client.getTaskInfo({ task_id: 'other' }));

    assert.strictEqual(details.ErrorInfo.reason, 'UPSTREAM_IP_BANNED');
    assert.ok(details.RetryInfo.retry_delay.seconds <= 300);
    assert.strictEqual(await standin.callCount(), 1);
  });

  it('is told by the server that is not there', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.stop();
    const { code, details } = await errorOf(client.getTaskInfo({ task_id: 'abcd' }));

    assert.strictEqual(code, 'UNAVAILABLE');
    assert.strictEqual(details.ErrorInfo.reason, 'UPSTREAM_UNAVAILABLE');
  });
});

describe('WatchTask', kConcurrently, () => {
  it('tells of a task waiting, running and succeeded, and ends with OK', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.setTask('t', 'waiting');
    const watch = client.watchTask({ task_id: 't', ...kSoon });
    const states = [];
    for (const next of ['running', 1, undefined]) {
      states.push((await watch.nextTask()).state);
      if (next !== undefined) await standin.setTask('t', next);
    }

    assert.deepStrictEqual(states, ['TASK_STATE_WAITING', 'TASK_STATE_RUNNING', 'TASK_STATE_SUCCEEDED']);
    assert.strictEqual(await watch.next(), undefined);
    assert.strictEqual((await watch.end).code, 'OK');
  });

  it('ends at once with a task that has ended, also if the watcher knows it', async (t) => {
    const { client } = await startServers(t);
    const { etag } = await client.getTaskInfo({ task_id: 'abcd' });
    const watch = client.watchTask({ task_id: 'abcd', last_etag: etag });

    assert.strictEqual((await watch.next()).task.etag, etag);
    assert.strictEqual(await watch.next(), undefined);
    assert.strictEqual((await watch.end).code, 'OK');
  });

  it('resumes with an etag on another server: a heartbeat first, then only what is new', async (t) => {
    const standin = await startStandin(t);
    const [first, second] = [await startTaskwatchd(t, standin), await startTaskwatchd(t, standin)];
    await standin.setTask('t', 'running');
    const before = first.client.watchTask({ task_id: 't', ...kSoon });
    const { etag } = await before.nextTask();
    before.cancel();
    const watch = second.client.watchTask({ task_id: 't', last_etag: etag, ...kSoon });
    const { event, heartbeat } = await watch.next();
    await standin.setTask('t', 1);

    assert.strictEqual(event, 'heartbeat');
    assert.strictEqual(heartbeat.etag, etag);
    assert.strictEqual((await watch.nextTask()).state, 'TASK_STATE_SUCCEEDED');
    assert.strictEqual((await watch.end).code, 'OK');
  });

  it('tells the state first if the etag is an old one', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.setTask('t', 'running');
    const watch = client.watchTask({ task_id: 't', last_etag: '0123456789abcdef' });

    assert.strictEqual((await watch.next()).task.state, 'TASK_STATE_RUNNING');
    watch.cancel();
  });

  it('tells of transient trouble in heartbeats, and goes on to OK when it is over', async (t) => {
    const { client, standin } = await startServers(t, { taskwatchdFlags: ['--min_heartbeat_interval=50ms'] });
    await standin.setTask('t', 'running');
    const watch = client.watchTask({ task_id: 't', heartbeat_interval: { nanos: 50e6 }, ...kSoon });
    const { etag } = await watch.nextTask();
    await standin.breakTaskCall({ kind: 'system_error' });
    const { heartbeat } = await watch.nextThat((message) => message.heartbeat?.last_poll_error);
    const error = readStatus(heartbeat.last_poll_error);
    await standin.setTask('t', 1);
    await standin.clearFaults();

    assert.strictEqual(heartbeat.etag, etag);
    assert.strictEqual(error.code, 'INTERNAL');
    assert.strictEqual(error.details.ErrorInfo.reason, 'UPSTREAM_SYSTEM_ERROR');
    assert.strictEqual((await watch.nextTask()).state, 'TASK_STATE_SUCCEEDED');
    assert.strictEqual((await watch.end).code, 'OK');
  });

  it('ends with transient trouble that does not pass, with its details', async (t) => {
    const { client, standin } = await startServers(t, { taskwatchdFlags: ['--upstream_error_budget=300ms'] });
    await standin.setTask('t', 'running');
    const watch = client.watchTask({ task_id: 't', ...kSoon });
    await watch.nextTask();
    await standin.breakTaskCall({ kind: 'system_error' });
    const { code, details } = await watch.end;

    assert.strictEqual(code, 'INTERNAL');
    assert.strictEqual(details.ErrorInfo.reason, 'UPSTREAM_SYSTEM_ERROR');
  });

  it('ends at once with permanent trouble, without headers if nothing was sent before', async (t) => {
    const { client } = await startServers(t);
    const watch = client.watchTask({ task_id: 'nothing' });
    const { code, details } = await watch.end;

    assert.strictEqual(code, 'NOT_FOUND');
    assert.strictEqual(details.ErrorInfo.reason, 'TASK_NOT_FOUND');
    assert.strictEqual(watch.sawHeaders, false);
  });

  it('asks to come again at the maximum stream age', async (t) => {
    const { client, standin } = await startServers(t, { taskwatchdFlags: ['--max_stream_age=500ms'] });
    await standin.setTask('t', 'running');
    const { code, details } = await client.watchTask({ task_id: 't' }).end;

    assert.strictEqual(code, 'UNAVAILABLE');
    assert.strictEqual(details.ErrorInfo.reason, 'STREAM_ROTATED');
    assert.deepStrictEqual(details.RetryInfo.retry_delay, seconds(0));
  });

  it('ends at the deadline of its caller', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.setTask('t', 'running');
    const watch = client.watchTask({ task_id: 't' }, { deadline: Date.now() + 300 });

    assert.strictEqual((await watch.end).code, 'DEADLINE_EXCEEDED');
  });

  it('goes on for others when one of its callers cancels', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.setTask('t', 'running');
    const [leaving, staying] = [0, 1].map(() => client.watchTask({ task_id: 't', ...kSoon }));
    await Promise.all([leaving.nextTask(), staying.nextTask()]);
    leaving.cancel();
    const { code } = await leaving.end;
    await standin.setTask('t', 1);

    assert.strictEqual(code, 'CANCELLED');
    assert.strictEqual((await staying.nextTask()).state, 'TASK_STATE_SUCCEEDED');
    assert.strictEqual((await staying.end).code, 'OK');
  });
});

describe('WaitTask', kConcurrently, () => {
  it('returns when the task is done', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.setTask('t', 'waiting');
    await client.getTaskInfo({ task_id: 't' });
    const wait = client.waitTask({ task_id: 't' });
    await standin.setTask('t', 1);

    assert.strictEqual((await wait).done, true);
  });

  it('returns a task that is not done when the time is up', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.setTask('t', 'waiting');
    const { etag } = await client.getTaskInfo({ task_id: 't' });
    const task = await client.waitTask({ task_id: 't', timeout: { nanos: 100e6 } });

    assert.deepStrictEqual([task.state, task.done, task.etag], ['TASK_STATE_WAITING', undefined, etag]);
  });

  it('returns when the task has changed from the last etag', async (t) => {
    const { client, standin } = await startServers(t);
    await standin.setTask('t', 'waiting');
    const { etag } = await client.getTaskInfo({ task_id: 't' });
    const wait = client.waitTask({ task_id: 't', last_etag: etag });
    await standin.setTask('t', 'running');

    assert.strictEqual((await wait).state, 'TASK_STATE_RUNNING');
  });

  it('tells why nothing is known of a task', async (t) => {
    const { client } = await startServers(t);

    assert.strictEqual((await errorOf(client.waitTask({ task_id: 'nothing' }))).code, 'NOT_FOUND');
  });
});

describe('Health', kConcurrently, () => {
  for (const service of ['', 'taskwatch.v1.TaskService']) {
    it(`of "${service}" is SERVING`, async (t) => {
      const { client } = await startServers(t);

      assert.strictEqual(await client.checkHealth(service), 'SERVING');
    });
  }

  it('of a service that is not there is NOT_FOUND', async (t) => {
    const { client } = await startServers(t);

    assert.strictEqual((await errorOf(client.checkHealth('nothing'))).code, 'NOT_FOUND');
  });
});

describe('Draining', kConcurrently, () => {
  it('ends streams and waits with SERVER_DRAINING, and the process with 0', async (t) => {
    const { client, server, standin } = await startServers(t);
    await standin.setTask('t', 'running');
    const watch = client.watchTask({ task_id: 't', ...kSoon });
    await watch.nextTask();
    const wait = errorOf(client.waitTask({ task_id: 't' }));
    // So that the wait has arrived, too: calls of one connection are taken in their order.
    await client.getTaskInfo({ task_id: 't' });
    server.terminate();

    for (const { code, details } of [await watch.end, await wait]) {
      assert.strictEqual(code, 'UNAVAILABLE');
      assert.deepStrictEqual(details, {
        ErrorInfo: errorInfo('SERVER_DRAINING'),
        RetryInfo: { retry_delay: seconds(1) },
      });
    }
    assert.strictEqual((await server.ended).code, 0);
  });

  it('is told to those who watch the health', async (t) => {
    // It would wait for an hour if a health watch could hold up the drain.
    const { client, server } = await startServers(t, { taskwatchdFlags: ['--drain_timeout=1h'] });
    const health = client.watchHealth('taskwatch.v1.TaskService');
    const before = await health.next();
    server.terminate();

    assert.strictEqual(before.status, 'SERVING');
    assert.strictEqual((await health.next()).status, 'NOT_SERVING');
    assert.strictEqual((await server.ended).code, 0);
  });
});
