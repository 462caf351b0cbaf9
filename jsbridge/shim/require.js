// require(): registered modules, and CommonJS and JSON files, with the objects that Node gives a module.
//
// Python says what a name is; see jsbridge/lookup.py for the rules. Registered modules are cached by name, files by path.

var pluginModules = Object.create(null);
var fileModules = Object.create(null);  // require.cache: a script may look, delete and replace
var mainModule;

var WRAPPER = "(function (exports, require, module, __filename, __dirname) {";

// Comments, and strings of the three kinds.
var NO_CODE = /\/\*[^]*?\*\/|\/\/.*|`(?:\\[^]|[^`\\])*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;

// `module` is the file that requires, null for code that is no file.
function makeRequire(module) {
  var directory = module && module.path;

  function require(name) {
    var found, cached;
    checkName(name, "require");
    if (pluginModules[name]) return pluginModules[name];
    found = python("resolve", [directory, name, requireStack(module)]);
    if (found.shape) return pluginModules[name] = pluginModule(found.shape);
    cached = fileModules[found.path];
    if (cached && module && module.children.indexOf(cached) < 0) module.children.push(cached);
    return (cached || loadFile(found.path, found.directory, module, false)).exports;
  }

  require.resolve = function (name) {
    checkName(name, "require.resolve");
    return python("find", [directory, name, requireStack(module)]);
  };
  require.resolve.paths = function (name) {
    checkName(name, "require.resolve.paths");
    return python("paths", [directory, name]);
  };
  require.main = mainModule;
  require.cache = fileModules;
  return require;
}

function checkName(name, where) {
  if (typeof name !== "string") throw new TypeError(where + "() takes a module name, not " + inspect(name));
}

// The file that requires, the one that required that first, and so on to the main one.
function requireStack(module) {
  var files = [];
  for (; module; module = module.parent) files.push(module.filename);
  return files;
}

function loadMain(path) {
  var found = python("resolve", [null, path, []]);
  loadFile(found.path, found.directory, null, true);
}

// `parent` is the file that requires it, null if none does.
function loadFile(path, directory, parent, isMain) {
  var module = {
    id: isMain ? "." : path, path: directory, filename: path, exports: {}, loaded: false, children: [], parent: parent
  };
  var text = python("read", [path]);
  if (isMain) mainModule = module;
  if (parent) parent.children.push(module);
  defineProperty(module, "parent", { enumerable: false });
  defineProperty(module, "paths", { get: function () { return python("paths", [directory, "x"]); } });
  define(module, "require", makeRequire(module));
  fileModules[path] = module;
  try {
    if (/\.json$/.test(path)) {
      module.exports = parseJSON(path, text);
    } else {
      compileModule(path, text).call(module.exports, module.exports, module.require, module, path, directory);
    }
    module.loaded = true;
  } finally {
    if (!module.loaded) {
      delete fileModules[path];
      if (parent) parent.children.splice(parent.children.indexOf(module), 1);
    }
  }
  return module;
}

function compileModule(path, text) {
  try {
    return compile(path, WRAPPER, text, "\n})");
  } catch (error) {
    if (error instanceof SyntaxError) {
      if (looksLikeESModule(path, text)) {
        error.message = path + " looks like an ES module, and scripts are CommonJS: " + error.message;
      } else if (compiles(path, "(async " + WRAPPER.slice(1), text)) {
        error.message = path + " has await outside of an async function: " + error.message;
      }
    }
    throw error;
  }
}

// Whether a line begins as a module's does: not in a comment, nor in a string, nor with a call of import().
function looksLikeESModule(path, text) {
  var bare = text.replace(NO_CODE, " ");
  return /\.m?js$/.test(path) && /^[ \t]*(?:import\b(?!\s*[(.])|export\b)/m.test(bare);
}

function compiles(path, wrapper, text) {
  try {
    compile(path, wrapper, text, "\n})");
    return true;
  } catch (error) {
    return false;
  }
}

function parseJSON(path, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(path + ": " + error.message);
  }
}
