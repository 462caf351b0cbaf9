// What the REPL asks of the global scope, as `$repl`. It runs no getter but those of the global object, which publish
// what has been declared. (That this file says neither of the words that declare such names makes it cheaper to load.)
(function (global) {
  var initial = Object.create(null), toSource = Function.prototype.toString, tagOf = Object.prototype.toString;
  var IDENTIFIER = /^[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*$/, MOST_KEYS = 1000, MOST_TEXT = 1 << 20;

  Object.getOwnPropertyNames(global).forEach(function (name) { initial[name] = true; });
  Object.defineProperty(global, "$repl", { value: { keys: keys, bindings: bindings, isExpression: isExpression } });

  // The properties of what `path` leads to from the global object: [[name, is it a function], ...], or null.
  function keys(path) {
    var found = [], seen = Object.create(null), object = global, i;
    try {
      for (i = 0; i < path.length; i++) object = member(object, path[i], i === 0);
      for (object = Object(object); object !== null; object = Object.getPrototypeOf(object)) collect(object, seen, found);
    } catch (error) {
      return null;
    }
    return JSON.stringify(found);
  }

  function member(object, name, isGlobal) {
    var each, found;
    for (each = Object(object); each !== null; each = Object.getPrototypeOf(each)) {
      found = Object.getOwnPropertyDescriptor(each, name);
      if (found) break;
    }
    if (!found || !("value" in found || isGlobal)) throw new TypeError("nothing is known");
    object = isGlobal ? global[name] : found.value;
    if (object === undefined || object === null) throw new TypeError("it has no properties");
    return object;
  }

  function collect(object, seen, found) {
    Object.getOwnPropertyNames(object).forEach(function (name) {
      var about;
      if (seen[name] || !IDENTIFIER.test(name) || /^\$(?:repl|jsbridge)$/.test(name) || found.length >= MOST_KEYS) return;
      seen[name] = true;
      about = Object.getOwnPropertyDescriptor(object, name);
      found.push([name, typeof about.value === "function"]);
    });
  }

  // Whether `text` is an expression, and no declaration that only looks like one; the REPL has seen to its brackets.
  function isExpression(text, isAsync) {
    var kind = isAsync ? (0, eval)("(async function () {})").constructor : Function;
    try {
      return Boolean(kind("return (\n" + text + "\n)"));
    } catch (error) {
      return false;
    }
  }

  // What has been declared, as source text to declare it again with, or with the reason why there is none.
  function bindings(modules) {
    var exported = exports(modules);
    return JSON.stringify(Object.getOwnPropertyNames(global).filter(function (name) {
      return !initial[name] && name !== "$repl" && IDENTIFIER.test(name);
    }).map(function (name) {
      var found = Object.getOwnPropertyDescriptor(global, name), text;
      try {
        text = sourceOf(global[name], exported);
        if (text.length > MOST_TEXT) throw "it is larger than 1 MiB";
        return { name: name, lexical: !("value" in found), source: text };
      } catch (error) {
        return { name: name, reason: typeof error === "string" ? error : String(error) };
      }
    }));
  }

  // [value, source text] of the modules and what they export.
  function exports(modules) {
    var found = [];
    modules.forEach(function (name) {
      var module = require(name), text = "require(" + JSON.stringify(name) + ")";
      found.push([module, text]);
      each(module, text, function (export_, path) { each(export_, path); });
    });
    return found;

    function each(object, path, then) {
      if (typeof object === "object" && object !== null) Object.keys(object).forEach(function (key) {
        var text = path + (IDENTIFIER.test(key) ? "." + key : "[" + JSON.stringify(key) + "]"), value = object[key];
        if (typeof value === "object" || typeof value === "function") found.push([value, text]);
        if (then) then(value, text);
      });
    }
  }

  function sourceOf(value, exported) {
    var i;
    for (i = 0; i < exported.length; i++) if (exported[i][0] === value) return exported[i][1];
    return typeof value === "function" ? functionSource(value) : plainSource(value, []);
  }

  function functionSource(value) {
    var text = toSource.call(value);
    if (/\[native code\]\s*\}\s*$/.test(text)) throw "it is a native function";
    if (Object.keys(value).length) throw "it is a function with properties";
    if (!isExpression(text, false)) throw "it is a method: its source stands only within its object";
    return text;
  }

  function plainSource(value, parents) {
    switch (typeof value) {
      case "string": return JSON.stringify(value);
      case "number": return value === 0 && 1 / value < 0 ? "-0" : String(value);
      case "bigint": return String(value) + "n";
      case "function": throw "it has a function in it";
      case "symbol": throw "it is a symbol, or has one in it";
      case "object": return value === null ? "null" : objectSource(value, parents);
      default: return String(value);
    }
  }

  function objectSource(value, parents) {
    var prototype = Object.getPrototypeOf(value), names = Object.keys(value), isArray = Array.isArray(value);
    if (parents.indexOf(value) >= 0) throw "it contains itself";
    if (!isArray && prototype !== null && prototype !== Object.prototype) throw "it is or has a " + nameOf(value);
    if (Object.getOwnPropertySymbols(value).length) throw "it has properties that are symbols";
    parents = parents.concat([value]);
    if (isArray && names.length === value.length) return "[" + names.map(part).join() + "]";
    if (isArray) throw "it is or has an array with holes or properties";
    return "{" + (prototype === null ? "__proto__:null," : "") + names.map(function (name) {
      return (name === "__proto__" ? "[\"__proto__\"]" : JSON.stringify(name)) + ":" + part(name);
    }).join() + "}";

    function part(name) {
      var found = Object.getOwnPropertyDescriptor(value, name);
      if (!("value" in found)) throw "it has a getter";
      return plainSource(found.value, parents);
    }
  }

  function nameOf(value) {
    var made = value.constructor;
    return typeof made === "function" && typeof made.name === "string" && made.name || tagOf.call(value).slice(8, -1);
  }
})(this);
