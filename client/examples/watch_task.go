// Watches one task to its end: watch_task HOST:PORT TASK_ID
//
// Exits with 0 if the task succeeded, 1 if it failed, all or in part, 2 if called wrongly and 3 on a permanent error.
//
// With Debian's golang-go, golang-google-grpc-dev, golang-google-genproto-dev, golang-github-golang-protobuf-1-5-dev,
// protoc-gen-go, protoc-gen-go-grpc and golang-github-gogo-googleapis-dev (which has google/rpc/*.proto), in the root of
// the repository:
//
//	mkdir -p stubs/src
//	status=Mgoogle/rpc/status.proto=google.golang.org/genproto/googleapis/rpc/status
//	protoc -I proto -I /usr/share/gocode/src/github.com/gogo/googleapis \
//	  --go_out=$status:stubs/src --go-grpc_out=$status:stubs/src taskwatch/v1/task_service.proto
//	GO111MODULE=off GOPATH=$PWD/stubs:/usr/share/gocode go build -o stubs/watch_task client/examples/watch_task.go
//	stubs/watch_task 127.0.0.1:50051 TASK_ID
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	taskwatch "taskwatch/v1"
)

// retryDelay is how long the service asks to wait before the next attempt, or 0.
func retryDelay(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// jitter is the pause after so many failures in a row: at random, so that a restarted service does not see all its
// watchers at once.
func jitter(failures int) time.Duration {
	limit := 20 * time.Second
	if failures < 5 {
		limit = 500 * time.Millisecond << failures
	}
	return time.Duration(rand.Int63n(int64(limit)))
}

// watchOnce calls onMessage with each message of one stream, until a task is done, which it returns, or the stream breaks.
func watchOnce(tasks taskwatch.TaskServiceClient, request *taskwatch.WatchTaskRequest,
	onMessage func(*taskwatch.WatchTaskResponse)) (*taskwatch.TaskInfo, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := tasks.WatchTask(ctx, request)
	if err != nil {
		return nil, err
	}
	for {
		message, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		onMessage(message)
		if task := message.GetTask(); task.GetDone() {
			return task, nil
		}
	}
}

// watch calls onTask with each state of the task, the final one last, and returns that, or a permanent error.
func watch(tasks taskwatch.TaskServiceClient, id string, onTask func(*taskwatch.TaskInfo)) (*taskwatch.TaskInfo, error) {
	request := &taskwatch.WatchTaskRequest{TaskId: id}
	for failures := 0; ; failures++ {
		task, err := watchOnce(tasks, request, func(message *taskwatch.WatchTaskResponse) {
			failures = 0
			// Anything else is a heartbeat, or of a kind that a later version of the service sends.
			if task := message.GetTask(); task != nil {
				request.LastEtag = task.GetEtag()
				onTask(task)
			}
		})
		// If UNAVAILABLE, the service is restarting, has ended a stream that got old, or is out of reach.
		if err == nil || status.Code(err) != codes.Unavailable {
			return task, err
		}
		delay := jitter(failures)
		if asked := retryDelay(err); asked > delay {
			delay = asked
		}
		fmt.Fprintf(os.Stderr, "%s; again in %.1f s\n", status.Convert(err).Message(), delay.Seconds())
		time.Sleep(delay)
	}
}

func run(args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: watch_task HOST:PORT TASK_ID")
		return 2
	}
	// So that a connection that died in silence ends the stream with UNAVAILABLE, too.
	alive := grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second})
	connection, err := grpc.Dial(args[0], grpc.WithInsecure(), alive)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer connection.Close()

	task, err := watch(taskwatch.NewTaskServiceClient(connection), args[1], func(task *taskwatch.TaskInfo) {
		done := task.GetSucceededCount() + task.GetFailedCount()
		fmt.Printf("%s %d/%d\n", task.GetState(), done, task.GetTotalCount())
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", status.Code(err), status.Convert(err).Message())
		return 3
	}
	if task.GetState() != taskwatch.TaskState_TASK_STATE_SUCCEEDED {
		return 1
	}
	return 0
}

func main() {
	// Go 1.19 draws the same numbers in every process otherwise.
	rand.Seed(time.Now().UnixNano())
	os.Exit(run(os.Args[1:]))
}
