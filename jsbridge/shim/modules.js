// require(): plugin modules from the registry, CommonJS and JSON files beside the script.
//
// Python says what a name is; see jsbridge/module.py for the rules. Modules are cached by registered name or by path.

var pluginModules = Object.create(null);
var fileModules = Object.create(null);
var mainModule;

var WRAPPER = "(function (exports, require, module, __filename, __dirname) {";

function makeRequire(directory, parent) {
  function require(name) {
    var found;
    if (typeof name !== "string") throw new TypeError("require() takes a module name, not " + inspect(name));
    if (pluginModules[name]) return pluginModules[name];
    found = python("resolve", [directory, name, parent]);
    if (found.shape) return pluginModules[name] = pluginModule(found.shape);
    return (fileModules[found.path] || loadFile(found.path, found.directory, false)).exports;
  }
  require.main = mainModule;
  return require;
}

// `shape` has [export, call] for a function and [export, [[method, call], ...]] for an object, in manifest order.
function pluginModule(shape) {
  var object = {};
  shape.forEach(function (member) {
    var value = isArray(member[1]) ? pluginModule(member[1]) : pluginFunction(member[0], member[1]);
    // Defined, not assigned: an export may be called __proto__.
    defineProperty(object, member[0], { value: value, enumerable: true, writable: true, configurable: true });
  });
  return object;
}

// A getter taken out of its property: ES5's only function that is no constructor. `this` is ignored, length is 0.
function pluginFunction(name, call) {
  var holder = { get call() { return python(call, packArguments(arguments)); } };
  var method = Object.getOwnPropertyDescriptor(holder, "call").get;
  return defineProperty(method, "name", { value: name, configurable: true });
}

function loadFile(path, directory, isMain) {
  var module = { id: isMain ? "." : path, filename: path, exports: {}, loaded: false };
  var text = python("read", path);
  if (isMain) mainModule = module;
  module.require = makeRequire(directory, path);
  fileModules[path] = module;
  try {
    if (/\.json$/.test(path)) {
      module.exports = parseJSON(path, text);
    } else {
      compile(path, WRAPPER, text, "\n})")
        .call(module.exports, module.exports, module.require, module, path, directory);
    }
    module.loaded = true;
  } finally {
    if (!module.loaded) delete fileModules[path];
  }
  return module;
}

function parseJSON(path, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(path + ": " + error.message);
  }
}
