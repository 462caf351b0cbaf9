// The global object that scripts see, and the entry that Python calls.

var FORMAT = /%[sdifjoOc%]/g;

// Node's console format: %-directives in a first string, the rest separated by spaces.
function format(args) {
  var used = 1, first = args[0], rest;
  if (typeof first !== "string") {
    used = 0;
  } else if (args.length > 1) {
    first = first.replace(FORMAT, function (directive) {
      if (directive === "%%") return "%";
      return used < args.length ? formatOne(directive, args[used++]) : directive;
    });
  }
  rest = Array.prototype.slice.call(args, used).map(plain);
  return (used ? [first].concat(rest) : rest).join(" ");
}

function formatOne(directive, value) {
  switch (directive) {
    case "%s": return plain(value);
    case "%d": return inspect(typeof value === "object" ? NaN : Number(value));
    case "%i": return inspect(typeof value === "object" ? NaN : parseInt(value, 10));
    case "%f": return inspect(typeof value === "symbol" ? NaN : parseFloat(value));
    case "%j": return String(quote(value));
    case "%c": return "";
    default: return inspect(value);
  }
}

function plain(value) {
  return typeof value === "string" ? value : inspect(value);
}

function printer(stream) {
  return function () {
    python("print", [stream, readable(format(arguments)) + "\n"]);
  };
}

// What Python learns of an uncaught error. Anything may be thrown, a proxy or an object with throwing getters too.
function describe(thrown) {
  var about = { name: "", message: "", stack: "", code: null, origin: null, text: "" };
  try {
    if (tagOf.call(thrown) === "[object Error]") {
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
// `t`ext for people, `e`rror, `l`ost exception.
function serve(request) {
  var reply;
  // eval_string puts these two into the global object each time.
  delete global.dukpy;
  delete global.call_python;
  if (!request.nested) stopped = false;
  lost = "";
  try {
    reply = answer(request);
  } catch (error) {
    reply = "e" + quote(describe(error));
  }
  return lost ? "l" + lost : reply;
}

function answer(request) {
  var value = request.path === undefined ? evaluatePiece(request.code, "<eval>") : runMain(request);
  if (value === undefined) return "u";
  return request.text ? "t" + inspect(value) : "v" + toText(value, "convert result", "Python");
}

function runMain(request) {
  var found = python("resolve", [null, request.path, null]);
  global.process.argv = request.argv;
  loadFile(found.path, found.directory, true);
}

defineProperty(global, "$jsbridge", { value: { serve: serve, publish: publish, readable: readable } });
global.console = { log: printer(1), info: printer(1), debug: printer(1), warn: printer(2), error: printer(2) };
global.process = { argv: global.dukpy.argv, env: global.dukpy.env };
global.require = makeRequire(null, null);
