// What a script finds in its global object beside JavaScript's own. What few scripts need is loaded when it is used: a
// part of the shim, in the directory parts, is a CommonJS module of its own that gets the tools below.

var loadedParts = Object.create(null);

function part(name) {
  if (!loadedParts[name]) {
    loadedParts[name] = {};
    compile("<" + name + ">", "(function (exports, shim) {\"use strict\";", python("part", [name]), "\n})")(loadedParts[name], {
      global: global, part: part, define: define, inspect: inspect, base64: base64, keysOf: keysOf, isArray: isArray,
      tagOf: tagOf
    });
  }
  return loadedParts[name];
}

// A property like those that JavaScript itself defines: not enumerable.
function define(object, name, value) {
  return defineProperty(object, name, { value: value, writable: true, configurable: true });
}

// `object[name]` is `load()` from the first time it is read.
function defineLazily(object, name, load) {
  defineProperty(object, name, {
    get: function () {
      var value = load();
      define(object, name, value);
      return value;
    },
    set: function (value) { define(object, name, value); },
    configurable: true
  });
}

function defineGlobals(given) {
  global.console = makeConsole();
  global.process = makeProcess(given);
  global.require = makeRequire(null);
  if (typeof globalThis === "undefined") define(global, "globalThis", global);
  define(global, "global", global);
  ["TextEncoder", "TextDecoder", "atob", "btoa"].forEach(function (name) { defineFrom("encoding", name); });
  defineFrom("buffer", "Buffer");
}

// A script that has a Buffer has loaded its part.
function isBuffer(value) {
  return loadedParts.buffer !== undefined && loadedParts.buffer.Buffer.isBuffer(value);
}

function defineFrom(partName, name) {
  if (!(name in global)) defineLazily(global, name, function () { return part(partName)[name]; });
}
