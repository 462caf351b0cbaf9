// Source texts, and stacks that name them.
//
// An engine has one name for all texts that are evaluated. So that a stack can say which file a line is in, each source
// is evaluated in a range of line numbers of its own, behind that many newlines; texts that scripts evaluate themselves
// are recognised by their low numbers.

var engine = typeof global.Duktape === "object" ? duktape() : quickjs();
var evaluate = global.eval;  // called by this name it is indirect: the text runs in the global scope
var sources = [];
var linesUsed = 10000;
var padding = new Array(linesUsed + 1).join("\n");

function compile(name, prefix, text, suffix) {
  var code, lines;
  text = engine.source(name, text);
  code = padding + prefix + text + suffix;
  lines = text.split("\n").length;
  sources.push({ name: name, first: linesUsed + 1, end: linesUsed + 1 + lines, shift: prefix.length });
  linesUsed += lines;
  padding += new Array(lines + 1).join("\n");
  return evaluate(code);
}

// `column` is undefined where the engine has none.
function positionOf(line, column) {
  var low = 0, high = sources.length, middle, source;
  while (low < high) {
    middle = low + high >> 1;
    if (sources[middle].end <= line) low = middle + 1;
    else high = middle;
  }
  source = sources[low];
  if (source === undefined || line < source.first) return place("<anonymous>", line, column);
  if (line === source.first) column = Math.max(1, column - source.shift);
  return place(source.name, line - source.first + 1, column);
}

function place(name, line, column) {
  return name + ":" + line + (column > 0 ? ":" + column : "");
}

// A stack, or any text that quotes one, with real positions and without the frames of the bridge itself.
function readable(text) {
  return engine.readable(text);
}

function headerOf(error) {
  var name = String(error.name), message = String(error.message);
  return message ? name + ": " + message : name;
}

// What Node shows of an error: its header, and its stack below.
function traceOf(error) {
  var stack = typeof error.stack === "string" ? readable(error.stack) : "";
  var frames = stack.split("\n").filter(function (line) { return /^ {4}at /.test(line); });
  return [headerOf(error)].concat(frames).join("\n");
}
