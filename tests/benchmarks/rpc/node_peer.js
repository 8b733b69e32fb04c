// A straightforward service of the same contract on Node, for comparison: @grpc/grpc-js in front, the official SDK behind.
// usage: node node_peer.js PROTO_DIR GOOGLE_PROTO_DIR UPSTREAM_HOST:PORT
'use strict';

const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');
const doc = require('@alicloud/dingtalk/doc_2_0');
const { Config } = require('@alicloud/openapi-client');
const { RuntimeOptions } = require('@alicloud/tea-util');

const [protoDir, googleDir, upstream] = process.argv.slice(2);
const definition = protoLoader.loadSync('taskwatch/v1/task_service.proto', { includeDirs: [protoDir, googleDir] });
const { TaskService } = grpc.loadPackageDefinition(definition).taskwatch.v1;

const client = new doc.default(new Config({ protocol: 'http', endpoint: upstream, regionId: 'central' }));
const headers = new doc.GetTaskInfoHeaders({ xAcsDingtalkAccessToken: 'token' });
// The SDK's default opens a connection for each call.
const runtime = new RuntimeOptions({ keepAlive: true });

async function getTaskInfo(call, callback) {
  try {
    const { body } = await client.getTaskInfoWithOptions(call.request.taskId, headers, runtime);
    callback(null, {
      task: {
        taskId: call.request.taskId,
        state: body.status === 1 ? 'TASK_STATE_SUCCEEDED' : 'TASK_STATE_RUNNING',
        done: body.status >= 1,
        totalCount: body.totalCount,
        succeededCount: body.succCount,
        failedCount: body.failCount,
        upstreamStatus: body.status,
        etag: JSON.stringify(body),
      },
    });
  } catch (error) {
    callback({ code: grpc.status.UNAVAILABLE, details: String(error) });
  }
}

const unimplemented = (call) => call.destroy({ code: grpc.status.UNIMPLEMENTED });
const server = new grpc.Server();
server.addService(TaskService.service, { getTaskInfo, watchTask: unimplemented, waitTask: unimplemented });
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.error(`node_peer: listening on 127.0.0.1:${port}`);
});
process.on('SIGTERM', () => process.exit(0));
