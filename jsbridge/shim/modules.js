// Plugin modules as objects: what require() gives for a registered name.
//
//     greet("x")                                           waits for the answer
//     greet.async("x")                                     a promise of it, where the engine has promises
//     greet.with({ timeout: 500, signal: signal })         the same function with options: both forms

// `shape` has [export, call] for a function, [export, [[method, call], ...]] for an object, in manifest order, and
// [name, {value: ...}] for a value of a native module.
function pluginModule(shape) {
  var object = {};
  shape.forEach(function (member) {
    var value = isArray(member[1]) ? pluginModule(member[1]) :
        typeof member[1] === "string" ? pluginFunction(member[0], member[1]) : member[1].value;
    // Defined, not assigned: an export may be called __proto__.
    defineProperty(object, member[0], { value: value, enumerable: true, writable: true, configurable: true });
  });
  return object;
}

function pluginFunction(name, call) {
  return withTwin(name, call, {}, { get call() { return python(call, packArguments(arguments)); } });
}

function functionWith(name, call, options) {
  return withTwin(name, call, options, {
    get call() {
      if (options.signal) throwIfAborted(options.signal);
      return python("call", [call, options.timeout, quote([packArguments(arguments)])]);
    }
  });
}

function withTwin(name, call, options, holder) {
  var method = notConstructor(name, holder);
  define(method, "with", function (given) { return functionWith(name, call, mergedOptions(options, given)); });
  if (typeof Promise !== "function") return method;
  defineLazily(method, "async", function () {
    return notConstructor(name, { get call() { return startCall(call, options, arguments); } });
  });
  return method;
}

// A getter taken out of its property: ES5's only function that is no constructor. `this` is ignored, length is 0.
function notConstructor(name, holder) {
  var method = Object.getOwnPropertyDescriptor(holder, "call").get;
  return defineProperty(method, "name", { value: name, configurable: true });
}

// Of `given`, what is there; of `options`, the rest.
function mergedOptions(options, given) {
  var merged = { timeout: options.timeout, signal: options.signal };
  if (given === null || typeof given !== "object") throw new TypeError("with() takes an object, not " + inspect(given));
  keysOf(given).forEach(function (key) {
    if (!merged.hasOwnProperty(key)) throw new TypeError("with() knows timeout and signal, not " + key);
    if (given[key] !== undefined) merged[key] = given[key];
  });
  if (merged.timeout !== undefined && !(merged.timeout > 0 && merged.timeout < Infinity)) {
    throw new TypeError("timeout is a number of milliseconds, not " + inspect(merged.timeout));
  }
  if (merged.signal !== undefined && typeof (merged.signal && merged.signal.addEventListener) !== "function") {
    throw new TypeError("signal is an AbortSignal, not " + inspect(merged.signal));
  }
  return merged;
}

function throwIfAborted(signal) {
  if (signal.aborted) throw signal.reason;
}

// The calls that are under way, by number.
var calls = Object.create(null);
var lastCall = 0;

function startCall(call, options, args) {
  var stack = new Error("here").stack, signal = options.signal;
  return new Promise(function (resolve, reject) {
    var number;

    function abort() {
      delete calls[number];
      python("cancel", [number]);
      reject(signal.reason);
    }

    if (signal) throwIfAborted(signal);
    args = quote([packArguments(args)]);
    number = ++lastCall;
    calls[number] = { resolve: resolve, reject: reject, stack: stack, signal: signal, abort: abort };
    python("start", [number, call, options.timeout, args]);
    if (signal) signal.addEventListener("abort", abort);
  });
}

// `event` has the number of a call, and its `value`, as an outcome has it, or its `error`.
function settleCall(event) {
  var call = calls[event.number], error;
  if (!call) return;
  delete calls[event.number];
  if (call.signal) call.signal.removeEventListener("abort", call.abort);
  if (event.error === undefined) {
    call.resolve(exactValue(event));
  } else {
    error = pythonError(event.error);
    // Where the call was made.
    defineProperty(error, "stack", { value: call.stack, writable: true, configurable: true });
    call.reject(error);
  }
}
