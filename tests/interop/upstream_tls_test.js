// taskwatchd and a DingTalk that speaks TLS: the access token only goes to whom the settings trust.
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');

const { patience } = require('./server_process.js');
const { startStandin, startTaskwatchd, temporaryFolder } = require('./taskwatchd.js');
const { readStatus } = require('./taskwatch_client.js');

// A certificate for `names` that vouches for itself: paths of {certificate, key}.
function selfSigned(t, names) {
  const folder = temporaryFolder(t);
  const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => path.join(folder, name));
  const args = [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=stand-in', '-addext', `subjectAltName=${names}`, '-out', certificate, '-keyout', key],
  ];
  execFileSync('openssl', args, { timeout: patience.milliseconds });
  return { certificate, key };
}

// A stand-in that shows such a certificate.
async function startTlsStandin(t, names) {
  const { certificate, key } = selfSigned(t, names);
  const standin = await startStandin(t, [`--tls_cert_file=${certificate}`, `--tls_key_file=${key}`]);
  return { standin, certificate };
}

// A file of authorities with that text.
function authorities(t, text) {
  const file = path.join(temporaryFolder(t), 'ca.pem');
  fs.writeFileSync(file, text);
  return file;
}

// That `status` says what is wrong and names nothing of the server's.
function assertUntrusted(status) {
  assert.strictEqual(status.code, 'UNAVAILABLE', status);
  assert.strictEqual(status.details.ErrorInfo.reason, 'UPSTREAM_UNTRUSTED');
  assert.match(status.message, /certificate is not trusted/);
  assert.doesNotMatch(status.message, /--|\/|localhost/);
}

describe('Over TLS', { concurrency: 2 }, () => {
  for (const host of ['localhost', '127.0.0.1']) {
    it(`DingTalk is asked when its certificate for ${host} is trusted`, async (t) => {
      const { standin, certificate } = await startTlsStandin(t, 'DNS:localhost,IP:127.0.0.1');
      const flags = [`--dingtalk_base_url=https://${host}:${standin.url.port}`, `--dingtalk_ca_file=${certificate}`];
      const { client } = await startTaskwatchd(t, standin, flags);

      assert.strictEqual((await client.getTaskInfo({ task_id: 'abcd' })).done, true);
      assert.strictEqual(await standin.callCount(), 1);
    });
  }

  for (const [name, names, flagsOf, logged] of [
    ['nobody vouches for its certificate', 'DNS:localhost', () => [], /self.signed certificate.*--dingtalk_ca_file/],
    [
      "its certificate is another host's",
      'DNS:elsewhere.example',
      (t, certificate) => [`--dingtalk_ca_file=${certificate}`],
      /localhost.*--dingtalk_ca_file/,
    ],
    [
      'the authorities to trust cannot be read',
      'DNS:localhost',
      (t) => [`--dingtalk_ca_file=${authorities(t, 'not a certificate')}`],
      /cannot be read: check --dingtalk_ca_file/,
    ],
  ]) {
    it(`DingTalk gets no token when ${name}`, async (t) => {
      const { standin, certificate } = await startTlsStandin(t, names);
      const flags = [`--dingtalk_base_url=https://localhost:${standin.url.port}`, ...flagsOf(t, certificate)];
      const { client, server } = await startTaskwatchd(t, standin, flags);
      const error = await client.getTaskInfo({ task_id: 'abcd' }).then(assert.fail, (error) => error);

      assertUntrusted(error);
      assert.strictEqual(await standin.callCount(), 0);
      assert.match(server.output, new RegExp(`UPSTREAM_UNTRUSTED.*${logged.source}`));
    });
  }

  it('DingTalk is asked as soon as the file of authorities is put right', async (t) => {
    const { standin, certificate } = await startTlsStandin(t, 'DNS:localhost');
    const file = authorities(t, fs.readFileSync(selfSigned(t, 'DNS:localhost').certificate));
    const { client } = await startTaskwatchd(t, standin, [
      `--dingtalk_base_url=https://localhost:${standin.url.port}`,
      `--dingtalk_ca_file=${file}`,
      ...['--min_heartbeat_interval=50ms', '--heartbeat_interval=50ms', '--upstream_error_budget=1h'],
    ]);
    const stream = client.watchTask({ task_id: 'abcd' });
    const { heartbeat } = await stream.nextThat(({ heartbeat }) => heartbeat?.last_poll_error);
    assertUntrusted(readStatus(heartbeat.last_poll_error));

    fs.copyFileSync(certificate, file);

    assert.strictEqual((await stream.nextTask()).done, true);
    assert.strictEqual((await stream.end).code, 'OK');
    assert.strictEqual(await standin.callCount(), 1);
  });
});
