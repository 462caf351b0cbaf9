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
    case "[object Error]": return withProperties(traceOf(value), value, parents);
    case "[object Date]": return isNaN(value) ? "Invalid Date" : value.toISOString();
    case "[object RegExp]": return String(value);
    case "[object Number]":
    case "[object Boolean]":
    case "[object String]": return "[" + name + ": " + render(value.valueOf(), parents) + "]";
    default:
  }
  if (parents.length > INSPECT_DEPTH) return isArray(value) ? "[Array]" : "[" + (name || "Object") + "]";
  parents = parents.concat([value]);
  if (isArray(value)) return layout("", "[", elements(value, parents), "]");
  if (tag === "[object Arguments]") return layout("[Arguments] ", "[", elements(value, parents), "]");
  if (TYPED_ARRAY.test(tag) || tag === "[object Uint8ClampedArray]") {
    return layout(name + "(" + value.length + ") ", "[", elements(value, parents), "]");
  }
  if (tag === "[object Map]" || tag === "[object Set]") {
    return layout(name + "(" + value.size + ") ", "{", collection(value, tag, parents), "}");
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
  var out = [], size = Math.min(value.length, INSPECT_ITEMS), i;
  for (i = 0; i < size; i++) out.push(i in value ? render(value[i], parents) : "<empty>");
  return overflow(out, value.length - size);
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
  return keysOf(value).map(function (key) {
    var property = Object.getOwnPropertyDescriptor(value, key);
    var text = property && property.get ? "[Getter]" : render(value[key], parents);
    return (isIdentifier(key) ? key : quote(key)) + ": " + text;
  });
}

function withProperties(label, value, parents) {
  if (!keysOf(value).length) return label;
  if (parents.indexOf(value) >= 0) return "[Circular]";
  return layout(label + " ", "{", properties(value, parents.concat([value])), "}");
}

function layout(prefix, open, items, close) {
  var line = items.join(", ");
  if (!items.length) return prefix + open + close;
  if (line.length <= INSPECT_WIDTH && line.indexOf("\n") < 0) return prefix + open + " " + line + " " + close;
  return prefix + open + "\n  " + items.join(",\n").replace(/\n/g, "\n  ") + "\n" + close;
}
