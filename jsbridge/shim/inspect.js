// Values as text for people: console.log and the results that the command line prints.
//
// The form is Node's util.inspect, with strings quoted as in JSON.

var INSPECT_DEPTH = 4;
var INSPECT_ITEMS = 100;
var INSPECT_WIDTH = 72;

function inspect(value) {
  return render(value, []);
}

function render(value, parents) {
  switch (typeof value) {
    case "string": return quote(value);
    case "number": return value === 0 && 1 / value < 0 ? "-0" : String(value);
    case "bigint": return String(value) + "n";
    case "symbol": return String(value);
    case "function": return withProperties(functionLabel(value), value, parents);
    case "object": return value === null ? "null" : renderObject(value, parents);
    default: return String(value);
  }
}

function functionLabel(value) {
  var kind = /^class\b/.test(Function.prototype.toString.call(value)) ? "class" : "Function";
  var name = typeof value.name === "string" && value.name;
  if (kind === "class") return "[class " + (name || "(anonymous)") + "]";
  return name ? "[Function: " + name + "]" : "[Function (anonymous)]";
}

function renderObject(value, parents) {
  var tag = tagOf.call(value), name = className(value);
  if (parents.indexOf(value) >= 0) return "[Circular]";
  switch (tag) {
    case "[object Error]":
    case "[object DOMException]": return withProperties(traceOf(value), value, parents, ["cause", "errors"]);
    case "[object Date]": return isNaN(value) ? "Invalid Date" : value.toISOString();
    case "[object RegExp]": return String(value);
    case "[object Number]":
    case "[object Boolean]":
    case "[object String]":
    case "[object Symbol]":
    case "[object BigInt]":
      if (typeof value.valueOf() !== "object") return "[" + name + ": " + render(value.valueOf(), parents) + "]";
      break;
    case "[object ArrayBuffer]":
    case "[object SharedArrayBuffer]": return name + " { [Uint8Contents]: <" + hexOf(value) + "> }";
    default:
  }
  if (parents.length > INSPECT_DEPTH) return isArray(value) ? "[Array]" : "[" + (name || "Object") + "]";
  parents = parents.concat([value]);
  if (isArray(value)) return layout("", "[", rows(elements(value, parents)).concat(named(value, parents)), "]");
  if (tag === "[object Arguments]") return layout("[Arguments] ", "[", elements(value, parents), "]");
  if (isBuffer(value)) return part("buffer").show(value);
  if (TYPED_ARRAY.test(tag) || tag === "[object Uint8ClampedArray]") {
    return layout(name + "(" + value.length + ") ", "[", rows(elements(value, parents)), "]");
  }
  if (tag === "[object Map]" || tag === "[object Set]") {
    return layout((name || tag.slice(8, -1)) + "(" + value.size + ") ", "{", collection(value, tag, parents), "}");
  }
  return layout(prefixOf(name, tag), "{", properties(value, parents), "}");
}

// The constructor's name; null for an object without a prototype.
function className(value) {
  var prototype = Object.getPrototypeOf(value), constructor;
  if (prototype === null) return null;
  constructor = prototype.constructor;
  return typeof constructor === "function" && typeof constructor.name === "string" ? constructor.name : "Object";
}

function prefixOf(name, tag) {
  var kind = tag.slice(8, -1);
  if (name === null) return "[Object: null prototype] ";
  if (kind !== "Object" && kind !== name) return name + " [" + kind + "] ";
  return name === "Object" ? "" : name + " ";
}

function elements(value, parents) {
  var out = [], size = Math.min(value.length, INSPECT_ITEMS), i, holes;
  for (i = 0; i < size; i++) {
    for (holes = 0; i < size && value[i] === undefined && !(i in value); i++) holes++;  // no key in Duktape's arguments
    if (holes) out.push("<" + holes + " empty item" + (holes > 1 ? "s>" : ">"));
    if (i < size) out.push(render(value[i], parents));
  }
  return overflow(out, value.length - size);
}

// The properties of an array that are no elements; they come behind those.
function named(value, parents) {
  var keys = keysOf(value), first = keys.length;
  while (first > 0 && !/^\d+$/.test(keys[first - 1])) first--;
  keys = keys.slice(first);
  return keys.map(function (key) { return property(value, key, parents); }).concat(symbols(value, parents));
}

// Many short items, several to a line.
function rows(items) {
  var out = [], line = items[0];
  if (items.length <= 6 || items.some(function (item) { return item.length > 16; })) return items;
  items.slice(1).forEach(function (item) {
    if (line.length + item.length + 2 <= INSPECT_WIDTH && item.indexOf("...") !== 0) {
      line += ", " + item;
    } else {
      out.push(line);
      line = item;
    }
  });
  return out.concat(line);
}

function hexOf(buffer) {
  var bytes = buffer.byteLength ? new Uint8Array(buffer, 0, Math.min(buffer.byteLength, INSPECT_ITEMS)) : [];
  var text = Array.prototype.map.call(bytes, function (byte) { return (byte < 16 ? "0" : "") + byte.toString(16); });
  return overflow(text, buffer.byteLength - bytes.length).join(" ");
}

function collection(value, tag, parents) {
  var out = [];
  value.forEach(function (item, key) {
    if (out.length === INSPECT_ITEMS) return;
    out.push((tag === "[object Map]" ? render(key, parents) + " => " : "") + render(item, parents));
  });
  return overflow(out, value.size - out.length);
}

function overflow(out, more) {
  if (more > 0) out.push("... " + more + " more item" + (more > 1 ? "s" : ""));
  return out;
}

function properties(value, parents) {
  return keysOf(value).map(function (key) { return property(value, key, parents); }).concat(symbols(value, parents));
}

function symbols(value, parents) {
  var keys = Object.getOwnPropertySymbols ? Object.getOwnPropertySymbols(value) : [];
  keys = keys.filter(function (key) { return Object.prototype.propertyIsEnumerable.call(value, key); });
  return keys.map(function (key) { return property(value, key, parents); });
}

function property(value, key, parents) {
  var found = Object.getOwnPropertyDescriptor(value, key) || {}, text;
  if (found.get || found.set) {
    text = found.get && found.set ? "[Getter/Setter]" : found.get ? "[Getter]" : "[Setter]";
  } else {
    text = render(value[key], parents);
  }
  if (typeof key === "symbol" || found.enumerable === false) return "[" + String(key) + "]: " + text;
  return (isIdentifier(key) ? key : quote(key)) + ": " + text;
}

// `hidden` names properties that are shown although they are not enumerable.
function withProperties(label, value, parents, hidden) {
  var inner = parents.concat([value]), items;
  if (parents.indexOf(value) >= 0) return "[Circular]";
  items = properties(value, inner);
  (hidden || []).forEach(function (key) {
    var found = Object.getOwnPropertyDescriptor(value, key);
    if (found && !found.enumerable) items.push(property(value, key, inner));
  });
  return items.length ? layout(label + " ", "{", items, "}") : label;
}

function layout(prefix, open, items, close) {
  var line = items.join(", ");
  if (!items.length) return prefix + open + close;
  if (line.length <= INSPECT_WIDTH && line.indexOf("\n") < 0) return prefix + open + " " + line + " " + close;
  return prefix + open + "\n  " + items.join(",\n").replace(/\n/g, "\n  ") + "\n" + close;
}
