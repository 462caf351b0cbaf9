// Source texts, and stacks that name them.
//
// QuickJS calls every evaluated text "<input>". So that a stack can say which file a line is in, each source is
// evaluated in a range of line numbers of its own, behind that many newlines; texts that scripts evaluate themselves
// are recognised by their low numbers.

var evaluate = global.eval;  // called by this name it is indirect: the text runs in the global scope
var sources = [];
var linesUsed = 10000;
var padding = new Array(linesUsed + 1).join("\n");

function compile(name, prefix, text, suffix) {
  var code = padding + prefix + text + suffix, lines = text.split("\n").length;
  sources.push({ name: name, first: linesUsed + 1, end: linesUsed + 1 + lines, shift: prefix.length });
  linesUsed += lines;
  padding += new Array(lines + 1).join("\n");
  return evaluate(code);
}

function positionOf(line, column) {
  var low = 0, high = sources.length, middle, source;
  while (low < high) {
    middle = low + high >> 1;
    if (sources[middle].end <= line) low = middle + 1;
    else high = middle;
  }
  source = sources[low];
  if (source === undefined || line < source.first) return "<anonymous>:" + line + ":" + column;
  if (line === source.first) column = Math.max(1, column - source.shift);
  return source.name + ":" + (line - source.first + 1) + ":" + column;
}

// A stack, or any text that quotes one, with real positions and without the frames of the bridge itself.
// (Error.prepareStackTrace would do it for every error at its birth, but when the heap is full QuickJS frees a call
// site twice on that way.)
function readable(text) {
  var lines, kept;
  if (text.indexOf("<input>:") < 0 && text.indexOf("(<dukpy>:") < 0) return text;
  lines = text.split("\n");
  kept = lines.filter(function (line, index) {
    return !OF_BRIDGE.test(line) && !(NATIVE.test(line) && OF_BRIDGE.test(lines[index + 1] || ""));
  });
  return kept.join("\n").replace(FRAME, function (match, line, column, bareLine, bareColumn) {
    return positionOf(+(line || bareLine), +(column || bareColumn));
  });
}

var OF_BRIDGE = /^ {4}at .*\(<dukpy>:\d+:\d+\)$/;
var NATIVE = /^ {4}at .* \(native\)$/;
var FRAME = /<eval> \(<input>:(\d+):(\d+)\)|<input>:(\d+):(\d+)/g;

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

// Code typed by a user runs as one piece of the global scope, over many evaluations. An indirect eval keeps its let,
// const and class to itself, so each of those names is published as a property of the global object that reads and
// writes the binding: the next piece sees it, closures share it, and declaring it again is allowed, as in a console.
// (In a piece that says "use strict", var and function are its own: there JavaScript gives an eval its own scope.)
function evaluatePiece(text, name) {
  var prefix = STRICT.test(text) ? "\"use strict\";" : "", names = lexicalNames(prefix, text);
  if (names.length) prefix += "void this.$jsbridge.publish({" + names.map(accessors).join() + "});";
  return compile(name, prefix, text, "");
}

var STRICT = /^(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)*(?:"use strict"|'use strict')/;

function accessors(name) {
  return name + ":{get:function(){return " + name + "},set:function($jsbridge){" + name + "=$jsbridge}," +
      "configurable:true,enumerable:true}";
}

function publish(properties) {
  Object.defineProperties(global, properties);
}

var IDENTIFIER = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/g;
var RESERVED = new RegExp("^(?:" + [
  "arguments await break case catch class const continue debugger default delete do else enum eval export extends",
  "false finally for function if implements import in instanceof interface let new null package private protected",
  "public return static super switch this throw true try typeof var void while with yield"
].join(" ").replace(/ /g, "|") + ")$");

// The names that `text` declares at its top level with let, const or class. Only a parser can tell, so the engine's
// own is asked: exactly these names cannot be declared again with var.
function lexicalNames(prefix, text) {
  var seen = Object.create(null), candidates;
  if (!/\b(?:let|const|class)\b/.test(text) || !isScript(prefix, text)) return [];
  candidates = text.match(IDENTIFIER).filter(function (name) {
    if (seen[name] || RESERVED.test(name)) return false;
    seen[name] = true;
    return true;
  });
  return clashing(text, candidates);
}

function clashing(text, names) {
  var middle = names.length >> 1;
  if (!names.length || !clashes(text, names)) return [];
  if (names.length === 1) return names;
  return clashing(text, names.slice(0, middle)).concat(clashing(text, names.slice(middle)));
}

function clashes(text, names) {
  try {
    return !new Function(text + "\n;var " + names.join());
  } catch (error) {
    return true;
  }
}

// A script is parsed as a whole before its first statement runs.
function isScript(prefix, text) {
  try {
    return evaluate(prefix + "throw null;" + text);
  } catch (error) {
    return error === null;
  }
}
