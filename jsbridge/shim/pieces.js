// Code that is typed, or given on a command line: it runs as one piece of the global scope, over many evaluations.
//
// An indirect eval keeps its let, const and class to itself, so each of those names is published as a property of the
// global object that reads and writes the binding: the next piece sees it, closures share it, and declaring it again is
// allowed, as in a console. (In a piece that says "use strict", var and function are its own: there JavaScript gives an
// eval its own scope.)
//
// A piece that awaits at its top level is run as the body of an async function, and then var and function are published
// too. Only a parser can tell what stands where, so the engine's own is asked.

var STRICT = /^(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)*(?:"use strict"|'use strict')/;
var AsyncFunction = asyncFunctionOf();

function asyncFunctionOf() {
  try {
    return evaluate("(async function () {})").constructor;
  } catch (error) {
    return null;
  }
}

// {value: ...}, the value of the last expression statement; or for a piece that awaits {promise: ...}, which has it.
function evaluatePiece(text, name) {
  var prefix = STRICT.test(text) ? "\"use strict\";" : "";
  if (awaits(prefix, text)) return { promise: evaluateAsync(prefix, text, name) };
  return { value: compile(name, prefix + publication(engine.lexicalNames(prefix, text)), text, "") };
}

// `await (x)` is a call in a script, but if there is no function of that name nobody means one. In a static block await
// is no name, and no keyword either.
function awaits(prefix, text) {
  if (!AsyncFunction || !/\bawait\b/.test(text)) return false;
  if (!isScript(prefix, text)) return true;
  return !("await" in global) && parsesAs(AsyncFunction, text) && !parsesAs(Function, "class C{static{" + text + "\n}}");
}

function evaluateAsync(prefix, text, name) {
  var names = parsesAs(AsyncFunction, text) ? clashing(AsyncFunction, text, "let", identifiers(text)) : [];
  var head = "(async function ($jsbridge) {" + prefix + publication(names);
  return compile(name, head, withValue(text), "\n})").call(global);
}

function publication(names) {
  return names.length ? "void globalThis.$jsbridge.publish({" + names.map(accessors).join() + "});" : "";
}

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

// The words of `text` that may be names, each once.
function identifiers(text) {
  var seen = Object.create(null);
  return (text.match(IDENTIFIER) || []).filter(function (name) {
    if (seen[name] || RESERVED.test(name)) return false;
    seen[name] = true;
    return true;
  });
}

// The names that `text` declares at its top level with let, const or class: those that var cannot declare again.
function lexicalNames(prefix, text) {
  if (!/\b(?:let|const|class)\b/.test(text) || !isScript(prefix, text)) return [];
  return clashing(Function, text, "var", identifiers(text));
}

// Those of `names` that the body `text` of such a function cannot declare again with this keyword.
function clashing(kind, text, keyword, names) {
  var middle = names.length >> 1;

  function among(some) { return clashing(kind, text, keyword, some); }

  if (!names.length || parsesAs(kind, text + "\n;" + keyword + " " + names.join())) return [];
  return names.length === 1 ? names : among(names.slice(0, middle)).concat(among(names.slice(middle)));
}

function parsesAs(kind, text) {
  try {
    return Boolean(kind(text));
  } catch (error) {
    return false;
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

// Comments, strings and templates; words; the end of a line; and whatever else there is, one by one.
var LEXEME = new RegExp([
  /\/\/.*|\/\*[\s\S]*?\*\//, /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'|`(?:[^`\\]|\\[\s\S])*`/,
  /[\w$\u0080-\uffff]+|\n|\S/
].map(function (part) { return part.source; }).join("|"), "g");
var DECLARATION = /^\s*(?:async\s+)?(?:function|class)\b/;
var CONTINUATION = /^(?:[(\[`\/+\-*.,?:%&|^<>=]|in\b|instanceof\b)/;

// The body `text` of an async function, returning the value of the expression statement that ends it, if one does. (Not
// by `return (...)`: there QuickJS forgets the position of what is thrown.)
function withValue(text) {
  var places = lastStatements(text), i, head, tail, body;
  for (i = 0; i < places.starts.length; i++) {
    head = text.slice(0, places.starts[i]);
    tail = text.slice(places.starts[i], places.end);
    body = head + "$jsbridge = (" + tail + "\n); return $jsbridge";
    if (isExpression(tail) && parsesAs(AsyncFunction, body) && isSeparate(head, tail)) return body;
  }
  return text;
}

function isExpression(text) {
  return text !== "" && !DECLARATION.test(text) && parsesAs(AsyncFunction, "(" + text + "\n)");
}

// Whether `tail` does not go on with what `head` ends with. Behind the brace of an object it would, where a block's ends.
function isSeparate(head, tail) {
  return !CONTINUATION.test(tail) || /^\s*$|;\s*$/.test(head) ||
      /\}\s*$/.test(head) && parsesAs(AsyncFunction, head.replace(/\s+$/, " $jsbridge"));
}

// Where the last statement may begin, from left to right, and where it ends. No statement spans a semicolon; whether one
// spans the end of a line or a block, only the parser knows.
function lastStatements(text) {
  var starts = [], end = 0, depth = 0, sure = true, maybe = false, match, token;
  LEXEME.lastIndex = 0;
  while ((match = LEXEME.exec(text))) {
    token = match[0];
    if (/^\/[\/*]/.test(token)) continue;
    if (depth === 0 && token === ";") {
      sure = true;
    } else if (depth === 0 && token === "\n") {
      maybe = true;
    } else {
      if (sure) starts = [match.index];
      else if (maybe) starts.push(match.index);
      if (/^[(\[{]$/.test(token)) depth++;
      else if (/^[)\]}]$/.test(token)) depth--;
      end = LEXEME.lastIndex;
      sure = false;
      maybe = token === "}" && depth === 0;
    }
  }
  return { starts: starts, end: end };
}
