// The global object that scripts see, and the entry that Python calls.

// What Python learns of an uncaught error. Anything may be thrown, a proxy or an object with throwing getters too.
function describe(thrown) {
  var about = { name: "", message: "", stack: "", code: null, origin: null, text: "" };
  try {
    if (/^\[object (?:Error|DOMException)\]$/.test(tagOf.call(thrown))) {
      about.name = String(thrown.name);
      about.message = String(thrown.message);
      about.stack = traceOf(thrown);
      about.text = headerOf(thrown);
    } else {
      about.message = inspect(thrown);
      about.text = "Uncaught " + about.message;
    }
    if (thrown !== null && typeof thrown === "object") {
      if (typeof thrown.code === "string") about.code = thrown.code;
      if (typeof thrown.origin === "number") about.origin = thrown.origin;
    }
  } catch (error) {
    about.text = about.text || "Uncaught object that cannot be shown";
  }
  return about;
}

// One request of Python's, answered with a text whose first letter says what follows: `v`alue, `u`ndefined,
// `t`ext for people, `e`rror, `l`ost exception, `p`romise of what "settle" will tell.
function serve(request) {
  var reply;
  // eval_string puts these into the global object each time.
  delete global.dukpy;
  delete global.call_python;
  delete global._require_set_module_id;
  if (!request.nested && !request.turn) begin();
  lost = "";
  try {
    reply = answer(request);
  } catch (error) {
    reply = "e" + quote(describe(error));
  }
  return lost ? "l" + lost : reply;
}

// A run begins. What the last one may have left behind, if it was cut off, is of no use any more.
function begin() {
  stopped = false;
  timers = Object.create(null);
  calls = Object.create(null);
}

function answer(request) {
  var piece;
  if (request.turn) return turn();
  if (request.path !== undefined) return runMain(request);
  piece = evaluatePiece(request.code, "<eval>");
  if (!piece.promise) return resultOf(piece.value, request);
  piece.promise.then(function (value) {
    settle(request, function () { return resultOf(value, request); });
  }, function (error) {
    settle(request, function () { throw error; });
  });
  return "p";
}

function resultOf(value, request) {
  if (value === undefined) return "u";
  return request.text ? "t" + inspect(value) : "v" + toText(value, "convert result", "Python");
}

function settle(request, result) {
  var reply;
  try {
    reply = result();
  } catch (error) {
    reply = "e" + quote(describe(error));
  }
  python("settle", [request.run, reply]);
}

// One turn of the event loop: a timer, or the calls that have finished.
function turn() {
  var events = python("events", []);
  if (events.timer) fireTimer(events.timer);
  else events.calls.forEach(settleCall);
  return "u";
}

function runMain(request) {
  global.process.argv = request.argv;
  loadMain(request.path);
  return "u";
}

defineProperty(global, "$jsbridge", { value: { serve: serve, publish: publish, readable: readable } });
defineGlobals(global.dukpy);
defineTimers();
defineAbort();
