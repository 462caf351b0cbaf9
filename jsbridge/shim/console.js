// The console, as Node prints: warn, error, trace and assert to stderr, everything else to stdout.

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

// Milliseconds since some moment.
function clock() {
  return global.performance ? global.performance.now() : Date.now();
}

function makeConsole() {
  var indentation = "", counts = Object.create(null), starts = Object.create(null);

  function line(stream, text) {
    if (indentation) text = indentation + text.replace(/\n/g, "\n" + indentation);
    python("print", [stream, text + "\n"]);
  }

  function printer(stream) {
    return function () { line(stream, readable(format(arguments))); };
  }

  function labelOf(label) {
    return label === undefined ? "default" : String(label);
  }

  function warning(text) {
    line(2, "Warning: " + text);
  }

  function printTime(label, method, data) {
    label = labelOf(label);
    if (label in starts) log.apply(null, ["%s: %s", label, duration(clock() - starts[label])].concat(data));
    else warning("No such label '" + label + "' for console." + method + "()");
  }

  function group() {
    if (arguments.length) log.apply(null, arguments);
    indentation += "  ";
  }

  var log = printer(1), error = printer(2);
  return {
    log: log,
    info: printer(1),
    debug: printer(1),
    warn: printer(2),
    error: error,
    dirxml: printer(1),
    dir: function (value) { line(1, inspect(value)); },
    table: function (data, columns) {
      line(1, data === null || typeof data !== "object" ? format([data]) : part("table").table(data, columns));
    },
    trace: function () {
      line(2, traceOf({ name: "Trace", message: readable(format(arguments)), stack: new Error("here").stack }));
    },
    assert: function (condition, message) {
      var rest = Array.prototype.slice.call(arguments, 2);
      if (!condition) error.apply(null, ["Assertion failed" + (arguments.length > 1 ? ": " + message : "")].concat(rest));
    },
    count: function (label) {
      label = labelOf(label);
      counts[label] = (counts[label] || 0) + 1;
      log(label + ": " + counts[label]);
    },
    countReset: function (label) {
      label = labelOf(label);
      if (label in counts) counts[label] = 0;
      else warning("Count for '" + label + "' does not exist");
    },
    time: function (label) {
      label = labelOf(label);
      if (label in starts) warning("Label '" + label + "' already exists for console.time()");
      else starts[label] = clock();
    },
    timeLog: function (label) {
      printTime(label, "timeLog", Array.prototype.slice.call(arguments, 1));
    },
    timeEnd: function (label) {
      printTime(label, "timeEnd", []);
      delete starts[labelOf(label)];
    },
    group: group,
    groupCollapsed: group,
    groupEnd: function () { indentation = indentation.slice(2); }
  };
}

// As Node's console.timeEnd shows it: 1.234ms, 1.234s, 1:02.345 (m:ss.mmm), 1:02:03.456 (h:mm:ss.mmm).
function duration(ms) {
  var minutes = Math.floor(ms / 60000), seconds = (ms / 1000 % 60).toFixed(3);
  if (ms < 1000) return Number(ms.toFixed(3)) + "ms";
  if (!minutes) return seconds + "s";
  if (seconds.length < 6) seconds = "0" + seconds;
  if (minutes < 60) return minutes + ":" + seconds + " (m:ss.mmm)";
  return Math.floor(minutes / 60) + ":" + ("0" + minutes % 60).slice(-2) + ":" + seconds + " (h:mm:ss.mmm)";
}
