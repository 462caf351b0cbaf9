// Calls into Python, and how what went wrong there becomes a JavaScript error.
//
// Python answers with JSON, or with undefined when there is more to say than a plain value; "outcome" then tells what.
// No Python exception ever reaches the engine: it would arrive as an InternalError (Duktape: EvalError) with a repr for a
// message.

var callPython = global.call_python;
var defineProperty = Object.defineProperty;

// True once a KeyboardInterrupt or the like is on its way through the script: nothing calls Python any more.
var stopped = false;
// What dukpy said of an exception that it lost; see jsbridge/_quickjs.py.
var lost = "";

function python(name, argument) {
  var reply = ask(name, argument);
  return reply === undefined ? exactOutcome(ask("outcome")) : reply;
}

function ask(name, argument) {
  if (stopped) throw new Error("the script is being stopped");
  try {
    return callPython(name, argument);
  } catch (error) {
    // Either a signal's exception is pending in Python, unknown to JavaScript, or one was lost on entering Python.
    // Anything else, such as a full heap, is this call's own trouble.
    if (String(error) === "InternalError: interrupted") {
      stopped = true;
    } else if (/^(?:InternalError|EvalError): Error while calling Python/.test(String(error))) {
      stopped = true;
      lost = error.message;
    }
    throw error;
  }
}

function exactOutcome(outcome) {
  if (outcome.stop) {
    stopped = true;
    throw new Error("the script is being stopped: " + outcome.stop);
  }
  if (outcome.error) throw pythonError(outcome.error);
  return exactValue(outcome);
}

// `fields`: name, message, any of code, details, plugin and requireStack, and origin, which finds the Python exception
// again.
function pythonError(fields) {
  var error = new Error(fields.message);
  if (fields.name !== "Error") {
    defineProperty(error, "name", { value: fields.name, writable: true, configurable: true });
  }
  ["code", "details", "plugin", "requireStack"].forEach(function (key) {
    if (fields[key] !== undefined && fields[key] !== null) error[key] = fields[key];
  });
  if (fields.origin !== undefined) defineProperty(error, "origin", { value: fields.origin });
  return error;
}
