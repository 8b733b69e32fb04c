#!/bin/sh
# Wrong flags end the stand-in with one line and exit code 2, before it listens: flags_test.sh PROGRAM
set -u

failures=0

# expect_refused LINE FLAG...: LINE is a part of the one line.
expect_refused() {
  expected=$1
  shift
  printed=$("$program" "$@" 2>&1)
  code=$?
  lines=$(printf '%s\n' "$printed" | wc -l)
  if [ "$code" -ne 2 ] || [ "$lines" -ne 1 ] || [ "${printed#*"$expected"}" = "$printed" ]; then
    echo "$*: exit code $code, printed: $printed" >&2
    failures=$((failures + 1))
  fi
}

program=$1
empty=$(mktemp)
expect_refused "'no_such_flag'" --no_such_flag
expect_refused "'task_running'" --task_running=soon
expect_refused 'unexpected argument "extra"' extra
expect_refused '--listen: expected host:port, got "8080"' --listen=8080
expect_refused '--listen: ' --listen=127.0.0.1:65536
expect_refused '--qps: ' --qps=-1
expect_refused '--monthly_calls: ' --monthly_calls=-1
expect_refused '--monthly_calls_used: ' --monthly_calls_used=-1
expect_refused '--latency: ' --latency=-1s
expect_refused '--token_lifetime: ' --token_lifetime=0s
expect_refused '--task_hidden: ' --task_hidden=-1s
expect_refused '--task_outcome: ' --task_outcome=5
expect_refused '--unknown_task: ' --unknown_task=other
expect_refused '--app_secret_file: ' --app_secret_file="$empty"
expect_refused '--access_token_file: ' --access_token_file=/no/such/file
expect_refused '--tls_cert_file: ' --tls_cert_file=cert.pem
expect_refused 'no PEM certificate in ' --listen=127.0.0.1:0 --tls_cert_file="$empty" --tls_key_file="$empty"
rm -f "$empty"
exit "$failures"
