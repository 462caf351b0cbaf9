// AbortController and AbortSignal, as the DOM standard defines them, without what only an EventTarget in a tree needs.

function AbortController() {
  if (!(this instanceof AbortController)) throw new TypeError("AbortController is a constructor: use new");
  defineProperty(this, "signal", { value: makeSignal(), enumerable: true });
}

define(AbortController.prototype, "abort", function (reason) { abortSignal(this.signal, reason); });

function AbortSignal() {
  throw new TypeError("AbortSignal is no constructor: use new AbortController().signal");
}

function makeSignal() {
  return defineProperty(Object.create(AbortSignal.prototype), "$state", {
    value: { aborted: false, reason: undefined, listeners: [] }
  });
}

["aborted", "reason"].forEach(function (name) {
  defineProperty(AbortSignal.prototype, name, {
    get: function () { return this.$state[name]; }, enumerable: true, configurable: true
  });
});

defineProperty(AbortSignal.prototype, "onabort", { value: null, writable: true, enumerable: true, configurable: true });

define(AbortSignal.prototype, "throwIfAborted", function () {
  if (this.aborted) throw this.reason;
});

define(AbortSignal.prototype, "addEventListener", function (type, listener, options) {
  var listeners = this.$state.listeners;
  var known = listeners.some(function (entry) { return entry.listener === listener; });
  if (type === "abort" && listener && !known) listeners.push({ listener: listener, signal: options && options.signal });
});

define(AbortSignal.prototype, "removeEventListener", function (type, listener) {
  var state = this.$state;
  state.listeners = state.listeners.filter(function (entry) { return entry.listener !== listener; });
});

// An abort happens once, so every listener is one for once.
function abortSignal(signal, reason) {
  var event = { type: "abort", target: signal, currentTarget: signal };
  var state = signal.$state, listeners = state.listeners;
  if (state.aborted) return;
  state.aborted = true;
  state.reason = reason === undefined ? exception("This operation was aborted", "AbortError") : reason;
  state.listeners = [];
  if (typeof signal.onabort === "function") signal.onabort(event);
  listeners.forEach(function (entry) {
    if (entry.signal && entry.signal.aborted) return;
    if (typeof entry.listener === "function") entry.listener.call(signal, event);
    else entry.listener.handleEvent(event);
  });
}

function exception(message, name) {
  return new DOMException(message, name);
}

AbortSignal.abort = function (reason) {
  var signal = makeSignal();
  abortSignal(signal, reason);
  return signal;
};

// Nothing waits for it: a script ends although it has not come to its time.
AbortSignal.timeout = function (milliseconds) {
  var signal = makeSignal();
  startTimer(function () {
    abortSignal(signal, exception("The operation was aborted due to timeout", "TimeoutError"));
  }, delayOf(milliseconds), [], "background");
  return signal;
};

AbortSignal.any = function (signals) {
  var signal = makeSignal(), all = Array.from(signals);
  all.forEach(function (one) { if (one.aborted) abortSignal(signal, one.reason); });
  if (!signal.aborted) all.forEach(function (one) {
    one.addEventListener("abort", function () { abortSignal(signal, one.reason); });
  });
  return signal;
};

function defineAbort() {
  if (typeof Promise !== "function") return;
  define(global, "AbortController", AbortController);
  define(global, "AbortSignal", AbortSignal);
}
