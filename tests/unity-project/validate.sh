#!/usr/bin/env bash
# Builds the player of this system with Unity by IL2CPP, runs the table of tests in it, and fails without its summary line.
#
#     UNITY=/path/to/Unity tests/unity-project/validate.sh
#
# UNITY is the program of the Editor. Cargo builds the native library and the servers.
set -euo pipefail

: "${UNITY:?is the path of the Unity Editor\'s program}"
project=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$project/../.." && pwd)
target=${CARGO_TARGET_DIR:-$repository/target}
work=$(mktemp -d)
servers=

finish() {
    [ -z "$servers" ] || kill "$servers" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "validate: $1" >&2
    exit 1
}

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64)
        method=Linux plugin=Linux/x86_64/libturbohttp_ffi.so player=Builds/Linux/validation ;;
    Darwin-*)
        method=MacOS plugin=macOS/libturbohttp_ffi.dylib player=Builds/MacOS/validation.app/Contents/MacOS/validation ;;
    *) fail "there is no player of this system here: see README.md for the others" ;;
esac

cd "$repository"
cargo build --quiet --release -p turbohttp-ffi
cargo build --quiet --release -p turbohttp-loopback --features h2,tls --example origins
mkdir -p "unity/Plugins/$(dirname "$plugin")"
cp "$target/release/$(basename "$plugin")" "unity/Plugins/$plugin"
cargo xtask codegen

# The servers end when their input does.
mkfifo "$work/input"
sleep 100000 > "$work/input" &
servers=$!
"$target/release/examples/origins" < "$work/input" > "$work/origins" &
until [ -s "$work/origins" ]; do
    kill -0 $! 2>/dev/null || fail "the servers did not start"
    sleep 0.1
done
TURBOHTTP_TEST_ORIGINS=$(cat "$work/origins")
export TURBOHTTP_TEST_ORIGINS

cd "$project"
rm -rf Builds
"$UNITY" -batchmode -nographics -quit -projectPath "$project" -executeMethod "TurboHttp.Validation.Build.$method" \
    -logFile "$project/build.log" || fail "the build failed: see $project/build.log"
[ -x "$player" ] || fail "there is no player in $player: see $project/build.log"
"./$player" -batchmode -nographics -logFile "$project/player.log" || echo "validate: the player returned $?" >&2

log=$project/player.log
tests=$(grep -c 'new TestCase(' "$repository/unity/Tests/Runtime/TestTable.cs")
grep -E '^turbohttp-|^FAILED' "$log" || true
grep -q '^turbohttp-validation: .* IL2CPP' "$log" || fail "the player was not built by IL2CPP: see $log"
grep -q '^turbohttp-player-loop: [0-9]* passed' "$log" || fail "the pump in the player loop did not pass: see $log"
grep -qx "turbohttp-tests: $tests passed, 0 failed" <(tr -d '\r' < "$log") || fail "no line of $tests tests that passed: see $log"
echo "validate: $method passed; enter it in unity/Documentation~/validation.md"
