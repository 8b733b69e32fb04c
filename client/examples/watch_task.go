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
	"io"
	"math/rand"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	taskwatch "taskwatch/v1"
)

const (
	// The service sends something at least so often, and is taken for dead when it does not.
	heartbeat = 5 * time.Second
	silence   = 3 * heartbeat
	// A service that asks to wait longer is not waited for.
	longestDelay = 10 * time.Minute
	// After so many failures in a row that only a broken connection or proxy explains, the next is believed.
	maxUnexplained = 5
)

// detailsOf gives the service's reason, empty if the error is not its own, and how long it asks to wait, or -1.
func detailsOf(err error) (reason string, asked time.Duration) {
	asked = -1
	for _, detail := range status.Convert(err).Details() {
		switch info := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = info.GetReason()
		case *errdetails.RetryInfo:
			asked = info.GetRetryDelay().AsDuration()
		}
	}
	return reason, asked
}

// passes says whether to resume after an error, when there were so many in a row that have no explanation.
func passes(err error, reason string, asked time.Duration, unexplained int) bool {
	switch code := status.Code(err); code {
	// Canceled is what watchOnce ends a silent stream with, OK a stream that ended before the task did.
	case codes.Unavailable, codes.Canceled, codes.OK:
		return true
	case codes.ResourceExhausted, codes.Aborted, codes.DeadlineExceeded, codes.Internal, codes.Unknown:
		if reason != "" {
			return code == codes.ResourceExhausted && asked >= 0 && asked <= longestDelay
		}
		return unexplained <= maxUnexplained
	}
	return false
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

// isNews says whether a state is to be told after the last one. Another server may still have an older one.
func isNews(task, last *taskwatch.TaskInfo) bool {
	older := task.GetObserveTime().AsTime().Before(last.GetObserveTime().AsTime())
	return task.GetDone() || (task.GetEtag() != last.GetEtag() && !older)
}

// watchOnce calls onMessage with each message of one stream, until it says that all is over, or the stream breaks or is
// silent for too long.
func watchOnce(tasks taskwatch.TaskServiceClient, request *taskwatch.WatchTaskRequest,
	onMessage func(*taskwatch.WatchTaskResponse) (over bool)) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.AfterFunc(silence, cancel)
	defer timer.Stop()
	stream, err := tasks.WatchTask(ctx, request)
	if err != nil {
		return err
	}
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		timer.Reset(silence)
		if onMessage(message) {
			return nil
		}
	}
}

// watch calls onTask with each state of the task, the final one last, and returns that, or a permanent error.
func watch(tasks taskwatch.TaskServiceClient, id string, onTask func(*taskwatch.TaskInfo)) (*taskwatch.TaskInfo, error) {
	last := &taskwatch.TaskInfo{}
	failures, unexplained := 0, 0
	for {
		request := &taskwatch.WatchTaskRequest{TaskId: id, LastEtag: last.GetEtag(), HeartbeatInterval: durationpb.New(heartbeat)}
		err := watchOnce(tasks, request, func(message *taskwatch.WatchTaskResponse) bool {
			failures, unexplained = 0, 0
			// It is neither if it is of a kind that a later version of the service sends.
			task, beat := message.GetTask(), message.GetHeartbeat()
			if task != nil && isNews(task, last) {
				last = task
				onTask(task)
			} else if task != nil && task.GetEtag() == last.GetEtag() {
				last.ObserveTime = task.GetObserveTime()
			} else if beat != nil && beat.GetEtag() == last.GetEtag() {
				last.ObserveTime = beat.GetObserveTime()
			}
			return last.GetDone()
		})
		if last.GetDone() {
			return last, nil
		}
		reason, asked := detailsOf(err)
		if code := status.Code(err); code != codes.Unavailable && code != codes.Canceled && code != codes.OK {
			unexplained++
		}
		if !passes(err, reason, asked, unexplained) {
			return nil, err
		}
		delay := jitter(failures)
		if asked > 0 {
			delay += asked
		}
		failures++
		problem := "the stream ended before the task did"
		if err != nil {
			problem = status.Convert(err).Message()
		}
		fmt.Fprintf(os.Stderr, "%s; again in %.1f s\n", problem, delay.Seconds())
		time.Sleep(delay)
	}
}

func run(args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: watch_task HOST:PORT TASK_ID")
		return 2
	}
	// So that a connection that died in silence ends the stream, too, before watchOnce does.
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
