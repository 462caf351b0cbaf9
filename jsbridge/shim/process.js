// The global `process`: what a script knows of the program that runs it; jsbridge/script_process.py answers.

function makeProcess(given) {
  var exitCode;
  var process = {
    argv: given.argv,
    env: given.env,
    get exitCode() { return exitCode; },
    set exitCode(code) {
      python("exitCode", [exitStatus(code)]);
      exitCode = code;
    },
    exit: function (code) { python("exit", [exitStatus(code === undefined ? exitCode : code)]); },
    cwd: function () { return python("cwd", []); },
    uptime: function () { return (clock() - start) / 1000; },
    nextTick: function (callback) {
      var args = Array.prototype.slice.call(arguments, 1);
      (global.queueMicrotask || global.setTimeout)(function () { callback.apply(undefined, args); });
    },
    hrtime: hrtime,
    stdout: outputStream(1),
    stderr: outputStream(2)
  };
  var start = clock(), about;
  ["version", "versions", "platform", "arch", "pid"].forEach(function (name) {
    defineLazily(process, name, function () { return (about = about || python("about", []))[name]; });
  });
  return process;
}

function exitStatus(code) {
  var status = code === undefined || code === null ? 0 : typeof code === "string" && /\d/.test(code) ? Number(code) : code;
  if (typeof status === "number" && status % 1 === 0) return status | 0;
  throw new TypeError("The exit code must be an integer, not " + inspect(code));
}

// [seconds, nanoseconds], since some moment or since `previous`, an earlier result.
function hrtime(previous) {
  var now = clock(), seconds = Math.floor(now / 1000), nanoseconds = Math.floor(now % 1000 * 1e6);
  if (previous) {
    seconds -= previous[0];
    nanoseconds -= previous[1];
    if (nanoseconds < 0) return [seconds - 1, nanoseconds + 1e9];
  }
  return [seconds, nanoseconds];
}

if (typeof BigInt === "function") {
  hrtime.bigint = function () { return BigInt(Math.floor(clock() * 1e6)); };
}

function outputStream(number) {
  return {
    fd: number,
    write: function (chunk) {
      var text = chunk;
      if (tagOf.call(chunk) === "[object Uint8Array]") text = part("encoding").decodeUTF8(chunk);
      if (typeof text !== "string") throw new TypeError("write() takes a string or a Uint8Array, not " + inspect(chunk));
      python("print", [number, text]);
      return true;
    }
  };
}
