// setTimeout and its kin. Python keeps the time (jsbridge/event_loop.py) and says which timer is due.

var LONGEST = 0x7fffffff;
var timers = Object.create(null);
var lastTimer = 0;

// `kind` is "once", "repeat", or "background": once, and nothing waits for it.
function startTimer(callback, milliseconds, args, kind) {
  if (typeof callback !== "function") {
    throw new TypeError("The \"callback\" argument must be of type function. Received " + inspect(callback));
  }
  timers[++lastTimer] = { callback: callback, args: args, repeats: kind === "repeat" };
  python("timer", [lastTimer, milliseconds, kind]);
  return lastTimer;
}

// As Node does it: what is no number of milliseconds, or too great a one, is 1.
function delayOf(milliseconds) {
  var delay = Number(milliseconds);
  return delay >= 1 && delay <= LONGEST ? delay : 1;
}

function clearTimer(number) {
  if (!timers[number]) return;
  delete timers[number];
  python("untimer", [Number(number)]);
}

function fireTimer(number) {
  var timer = timers[number];
  if (!timer) return;
  if (!timer.repeats) delete timers[number];
  timer.callback.apply(undefined, timer.args);
}

function defineTimers() {
  var rest = Array.prototype.slice;
  define(global, "setTimeout", function setTimeout(callback, milliseconds) {
    return startTimer(callback, delayOf(milliseconds), rest.call(arguments, 2), "once");
  });
  define(global, "setInterval", function setInterval(callback, milliseconds) {
    return startTimer(callback, delayOf(milliseconds), rest.call(arguments, 2), "repeat");
  });
  define(global, "setImmediate", function setImmediate(callback) {
    return startTimer(callback, 0, rest.call(arguments, 1), "once");
  });
  ["clearTimeout", "clearInterval", "clearImmediate"].forEach(function (name) {
    define(global, name, function (number) { clearTimer(number); });
  });
  if (typeof Promise !== "function") return;
  // QuickJS's own would end the engine, not the script, if the callback throws.
  define(global, "queueMicrotask", function queueMicrotask(callback) {
    if (typeof callback !== "function") {
      throw new TypeError("The \"callback\" argument must be of type function. Received " + inspect(callback));
    }
    Promise.resolve().then(function () { callback(); });
  });
}
