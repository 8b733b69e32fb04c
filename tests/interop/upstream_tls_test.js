// taskwatchd and a DingTalk that speaks TLS: the access token only goes to whom the settings trust.
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { describe, it } = require('node:test');

const { patience } = require('./server_process.js');
const { startStandin, startTaskwatchd, temporaryFolder } = require('./taskwatchd.js');

// A stand-in that shows a certificate for `names`, which vouches for itself.
async function startTlsStandin(t, names) {
  const folder = temporaryFolder(t);
  const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => path.join(folder, name));
  const args = [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=stand-in', '-addext', `subjectAltName=${names}`, '-out', certificate, '-keyout', key],
  ];
  execFileSync('openssl', args, { timeout: patience.milliseconds });
  const standin = await startStandin(t, [`--tls_cert_file=${certificate}`, `--tls_key_file=${key}`]);
  return { standin, certificate };
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

  for (const [name, names, isTrusted] of [
    ['nobody vouches for its certificate', 'DNS:localhost', false],
    ["its certificate is another host's", 'DNS:elsewhere.example', true],
  ]) {
    it(`DingTalk gets no token when ${name}`, async (t) => {
      const { standin, certificate } = await startTlsStandin(t, names);
      const flags = [`--dingtalk_base_url=https://localhost:${standin.url.port}`];
      if (isTrusted) flags.push(`--dingtalk_ca_file=${certificate}`);
      const { client } = await startTaskwatchd(t, standin, flags);
      const error = await client.getTaskInfo({ task_id: 'abcd' }).then(assert.fail, (error) => error);

      assert.strictEqual(error.code, 'UNAVAILABLE', error);
      assert.strictEqual(error.details.ErrorInfo.reason, 'UPSTREAM_UNAVAILABLE');
      assert.match(error.message, /certificate is not trusted/);
      assert.strictEqual(await standin.callCount(), 0);
    });
  }
});
