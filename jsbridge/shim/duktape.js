// What is Duktape's own (dukpy 0.5): the form of its stacks, its language of 2009, and its global scope.
//
// It calls every text that is evaluated "input", and this shim "eval". There are no columns.

function duktape() {
  // Function, text, line and flags: "    at f (input:3) construct", "    at forEach () native strict".
  var FRAME = /^ {4}at (.*?) \(([^()]*?)(?::(\d+))?\)(?: [a-z ]+)?$/;

  function frame(line, index, lines) {
    var parts = FRAME.exec(line), name;
    if (!parts) return line === "    [...]" ? null : line;
    name = parts[1] === "[anon]" ? "<anonymous>" : parts[1];
    if (parts[2] === "eval" || /\.c$/.test(parts[2])) return null;
    if (parts[2] === "") return isOfBridge(lines[index + 1]) ? null : "    at " + name + " (native)";
    if (parts[2] === "compile") return "    at " + name + " (<anonymous>:" + parts[3] + ")";
    if (parts[2] !== "input") return line;
    return name === "eval" ? "    at " + positionOf(+parts[3]) : "    at " + name + " (" + positionOf(+parts[3]) + ")";
  }

  function isOfBridge(line) {
    var parts = FRAME.exec(line || "");
    return parts !== null && parts[2] === "eval";
  }

  function parses(text) {
    try {
      return Boolean(new Function(text));
    } catch (error) {
      return false;
    }
  }

  delete global.Duktape;  // its threads would leave the stack that dukpy evaluates on
  delete global.require;
  ["Buffer", "TextEncoder", "TextDecoder"].forEach(function (name) { delete global[name]; });  // those of parts/ do more

  return {
    readable: function (text) {
      if (text.indexOf("    at ") < 0) return text;
      return text.split("\n").map(frame).filter(function (line) { return line !== null; }).join("\n");
    },
    // What is no ES5 is compiled to it; jsbridge/_duktape.py says what of it can be.
    source: function (name, text) {
      var reply, error;
      if (parses(text)) return text;
      reply = python("es5", [name, text]);
      if (reply.code !== undefined && parses(reply.code)) return reply.code;
      if (reply.code !== undefined) {
        reply = { message: "async functions need dukpy 0.6, which has QuickJS in place of Duktape", line: 1 };
      }
      error = new SyntaxError(reply.message);
      defineProperty(error, "stack", {
        value: headerOf(error) + "\n    at " + place(name, reply.line, reply.column),
        writable: true, configurable: true
      });
      throw error;
    },
    // There are none: const is a variable like any other, and Babel makes variables of the others.
    lexicalNames: function () { return []; }
  };
}
