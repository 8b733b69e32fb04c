// The official SDK against the stand-in: what it sends is taken, and what it is sent it can read. A stand-in that only
// agrees with our own client proves nothing.
'use strict';

const assert = require('node:assert');
const { after, before, beforeEach, test } = require('node:test');

const { Config } = require('@alicloud/openapi-client');
const doc = require('@alicloud/dingtalk/doc_2_0');
const oauth2 = require('@alicloud/dingtalk/oauth2_1_0');
const { RuntimeOptions } = require('@alicloud/tea-util');

const { Standin } = require('./standin.js');

const kAppKey = 'dingdemoapp';
const kAppSecret = 'demo-app-secret';
const kCorpId = 'dingdemocorp';

// The SDK's own timeouts are a few seconds; no test is to fail because a machine is slow.
const kRuntime = new RuntimeOptions({ connectTimeout: 300000, readTimeout: 300000 });

let standin;
let oauth2Client;
let docClient;

before(async () => {
  // A copied document's task is over at once: its life goes by the clock, and no test waits for that.
  standin = await Standin.start(process.env.STANDIN, ['--qps=0', '--task_waiting=0s', '--task_running=0s']);
  const config = new Config({ protocol: 'http', endpoint: standin.host });
  oauth2Client = new oauth2.default(config);
  docClient = new doc.default(config);
});

after(async () => {
  assert.strictEqual(await standin.stop(), 0);
});

beforeEach(async () => {
  await standin.control('DELETE', 'faults');
  await standin.control('DELETE', 'calls');
});

async function accessToken(appSecret = kAppSecret) {
  const request = new oauth2.GetAccessTokenRequest({ appKey: kAppKey, appSecret });
  return (await oauth2Client.getAccessTokenWithOptions(request, {}, kRuntime)).body;
}

async function taskInfo(taskId, token) {
  const headers = new doc.GetTaskInfoHeaders({ xAcsDingtalkAccessToken: token });
  return docClient.getTaskInfoWithOptions(taskId, headers, kRuntime);
}

async function copy(sourceDentryUuid, token) {
  const headers = new doc.CopyDocHeaders({ xAcsDingtalkAccessToken: token });
  const param = new doc.CopyDocRequestParam({ sourceDentryUuid, targetParentDentryUuid: 'folder' });
  const request = new doc.CopyDocRequest({ param });
  return (await docClient.copyDocWithOptions(request, headers, kRuntime)).body;
}

test('gets a token with call A, and the same one again', async () => {
  const first = await accessToken();
  const second = await accessToken();

  assert.strictEqual(first.expireIn, 7200);
  assert.match(first.accessToken, /^[0-9a-f]{32}$/);
  assert.strictEqual(second.accessToken, first.accessToken);
});

test('gets a token with call B that the task call accepts', async () => {
  const request = new oauth2.GetTokenRequest({
    clientId: kAppKey,
    clientSecret: kAppSecret,
    grantType: 'client_credentials',
  });
  const { body } = await oauth2Client.getTokenWithOptions(kCorpId, request, {}, kRuntime);

  assert.strictEqual(body.expiresIn, 7200);
  assert.strictEqual((await taskInfo('abcd', body.accessToken)).body.status, 2);
});

test('reads the example of the API page', async () => {
  const { accessToken: token } = await accessToken();
  const { body, headers } = await taskInfo('abcd', token);

  assert.deepStrictEqual({ ...body }, { taskId: 'abcd', status: 2, totalCount: 1, succCount: 1, failCount: 0 });
  assert.match(headers['x-acs-request-id'], /^[0-9A-F-]{36}$/);
});

test('copies a document and reads its task to the end', async () => {
  const { accessToken: token } = await accessToken();
  const copied = await copy('doc', token);
  const { body } = await taskInfo(copied.taskId, token);

  assert.strictEqual(copied.isAsync, true);
  assert.strictEqual(body.taskId, copied.taskId);
  assert.strictEqual(body.status, 1);
  assert.strictEqual(body.succCount, 20);
});

test('reads a task that waits, runs and ends', async () => {
  const { accessToken: token } = await accessToken();
  const hour = 3600 * 1000;
  const seen = [];
  for (const [waiting_ms, running_ms] of [[hour, 0], [0, hour], [0, 0]]) {
    await standin.control('POST', 'tasks', { task_id: 't', waiting_ms, running_ms, items: 4, outcome: 3 });
    seen.push((await taskInfo('t', token)).body.status);
  }

  assert.deepStrictEqual(seen, [-1, 0, 3]);
});

test('takes missing counts as undefined', async () => {
  const { accessToken: token } = await accessToken();
  await standin.control('POST', 'tasks', { task_id: 't', waiting_ms: 0, running_ms: 3600000, shape: 'none' });
  const { body } = await taskInfo('t', token);

  assert.strictEqual(body.status, 0);
  assert.strictEqual(body.totalCount, undefined);
});

test('copies a small document without a task', async () => {
  const { accessToken: token } = await accessToken();
  const copied = await copy('small-doc', token);

  assert.strictEqual(copied.isAsync, false);
  assert.strictEqual(copied.taskId, undefined);
  assert.ok(copied.syncCopyResult.dentryUuid);
});

for (const [name, act, want] of [
  ['a wrong secret', () => accessToken('wrong'), 'invalidClientIdOrSecret'],
  ['an invalid token', () => taskInfo('abcd', 'wrong'), 'InvalidAuthentication'],
  ['an unknown task', async () => taskInfo('nothing', (await accessToken()).accessToken), 'taskNotExist'],
  ['a missing document', async () => copy('missing-doc', (await accessToken()).accessToken), 'documentNotExist'],
]) {
  test(`shows the code of ${name}`, async () => {
    await assert.rejects(act, (error) => error.code === want);
  });
}

test("shows a fault's code, request id and missing scope", async () => {
  const { accessToken: token } = await accessToken();
  await standin.control('POST', 'faults', { kind: 'permission_denied', api: 'task_info' });

  await assert.rejects(taskInfo('abcd', token), (error) => {
    assert.strictEqual(error.code, 'Forbidden.AccessDenied.AccessTokenPermissionDenied');
    assert.match(error.message, /request id: [0-9A-F-]{36}/);
    assert.deepStrictEqual(error.accessDeniedDetail.requiredScopes, ['SNS.Document.WorkspaceDocument.Read']);
    return true;
  });
});

test('takes the body of a ban for a task with status 1111', async () => {
  const { accessToken: token } = await accessToken();
  await standin.control('POST', 'faults', { kind: 'punish', api: 'task_info' });

  // What a client that does not look must fall for: the stand-in is no kinder to ours.
  assert.strictEqual((await taskInfo('abcd', token)).body.status, 1111);
});

test('does not escape a task id, which the stand-in sees as it was sent', async () => {
  const { accessToken: token } = await accessToken();
  await assert.rejects(taskInfo('a%2e', token));
  const { calls } = await standin.control('GET', 'calls');

  assert.strictEqual(calls.at(-1).path, '/v2.0/doc/task/info/a%2e');
});
