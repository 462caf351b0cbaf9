// Values on their way out of JavaScript, as the text that jsbridge/jstext.py reads, and back in.
//
// The text is JSON with four more literals, NaN, Infinity, -Infinity and -0.0, which Python's json.loads reads as they
// stand. A value that would lose content on the way is refused, with a TypeError that names its place, before
// anything is sent. Iterative, because a script may have used most of QuickJS's 1 MiB stack already; pieces are
// joined at the end, because += copies the whole string each time.

var MAX_DEPTH = 10000;  // as in values.py

var MAX_SAFE = 9007199254740991;

var isArray = Array.isArray;
var keysOf = Object.keys;
var quote = JSON.stringify;
var plainPrototype = Object.prototype;
var prototypeOf = Object.getPrototypeOf;
var tagOf = Object.prototype.toString;
var numberOf = Number.prototype.valueOf;
var booleanOf = Boolean.prototype.valueOf;

// What cannot cross, by its Object.prototype.toString tag, and how its content can.
var REFUSED = {
  "[object Date]": "Date; pass date.toISOString() or date.getTime()",
  "[object Map]": "Map; pass Object.fromEntries(map)",
  "[object Set]": "Set; pass Array.from(set)",
  "[object RegExp]": "RegExp; pass regexp.source",
  "[object Error]": "Error; pass error.message",
  "[object DOMException]": "Error; pass error.message",
  "[object String]": "String object; pass String(value)",
  "[object Symbol]": "Symbol; pass symbol.description",
  "[object BigInt]": "BigInt; pass Number(value) or String(value)",
  "[object Promise]": "Promise; pass the value it resolves to",
  "[object WeakMap]": "WeakMap; pass what it holds for the keys that matter",
  "[object WeakSet]": "WeakSet; pass which objects it has",
  "[object WeakRef]": "WeakRef; pass ref.deref()",
  "[object FinalizationRegistry]": "FinalizationRegistry; pass data",
  "[object SharedArrayBuffer]": "SharedArrayBuffer; pass new Uint8Array(buffer)",
  "[object DataView]": "DataView; pass new Uint8Array(view.buffer, view.byteOffset, view.byteLength)",
  "[object Generator]": "Generator; pass Array.from(generator)",
  "[object AsyncGenerator]": "AsyncGenerator; pass an array of what it yields"
};
var FUNCTION = "function; pass what it returns, or data";
var CYCLE = "cycle (the value contains itself); pass a copy without it";
var ITERATOR = /Iterator/;
var TYPED_ARRAY = /^\[object ((Big)?(?:Int|Uint|Float)\d+Array)\]$/;

// Behind a proxy, or a tag of its class's own, a value is known only by the constructor that it comes from.
var DISGUISED = [
  "Date", "Map", "Set", "RegExp", "Error", "String", "Number", "Boolean", "Promise", "WeakMap", "WeakSet", "WeakRef",
  "ArrayBuffer", "SharedArrayBuffer", "DataView", "Uint8Array", "Uint8ClampedArray"
].filter(function (name) { return typeof global[name] === "function"; }).map(function (name) {
  var refusal = REFUSED["[object " + name + "]"] || name + " in disguise; pass a plain one";
  return { constructor: global[name], refusal: refusal };
});

function disguised(value) {
  var prototype = prototypeOf(value), i;
  if (prototype === plainPrototype || prototype === null) return undefined;
  for (i = 0; i < DISGUISED.length; i++) {
    if (value instanceof DISGUISED[i].constructor) return DISGUISED[i].refusal;
  }
  return undefined;
}

var LONE_SURROGATE = /[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g;

function keepPairs(match) {
  return match.length === 2 ? match : "\ufffd";
}

function quoted(string) {
  var text = quote(string);
  // JSON.stringify escapes surrogates only where they stand alone.
  return text.indexOf("\\ud") < 0 ? text : quote(string.replace(LONE_SURROGATE, keepPairs));
}

// An integer stays one while it is exact; beyond, String() makes up digits, and Python must read it as a float.
function numberText(number) {
  if (number === 0 && 1 / number < 0) return "-0.0";
  if (number <= MAX_SAFE && number >= -MAX_SAFE) return String(number);
  return String(number).replace(/^-?\d+$/, "$&.0");
}

// The text of an object that stands for one value: a boxed number or boolean, or bytes, which cross as base64.
// Undefined for an object with parts; throws what `refusal` makes of one that cannot cross.
function boxText(value, tag, refusal) {
  var kind;
  switch (tag) {
    case "[object Object]": break;
    case "[object Arguments]": return undefined;
    case "[object Number]": return numberText(numberOf.call(value));
    case "[object Boolean]": return String(booleanOf.call(value));
    case "[object Uint8Array]":
    case "[object Uint8ClampedArray]": return "\"" + base64(value) + "\"";
    case "[object ArrayBuffer]": return "\"" + base64(new Uint8Array(value)) + "\"";
    default:
      if (REFUSED.hasOwnProperty(tag)) throw refusal(REFUSED[tag]);
      if (ITERATOR.test(tag)) throw refusal("iterator; pass Array.from(iterator)");
      kind = TYPED_ARRAY.exec(tag);
      if (kind) throw refusal(kind[1] + "; pass Array.from(array" + (kind[2] ? ", Number)" : ")"));
  }
  kind = disguised(value);
  if (kind) throw refusal(kind);
  return undefined;
}

// `where` and `destination` are the words around the place in a refusal:
// "convert argument 1" + ": .user.born: Date" + " cannot cross to a plugin" + "; pass date.toISOString() ..."
function toText(root, where, destination) {
  // The container in hand, first one around the root, and how far it is written; `keys` is null for a list.
  var container = [root], keys = null, size = 1, index = 0;
  var parents = [], frames = [], out = [], value, head, text, tag, frame;

  function refusal(kind) {
    var end = (kind + ";").indexOf(";");
    var what = placeOf(frames.concat([{ keys: keys, index: index }]).slice(1)) + kind.slice(0, end);
    return new TypeError(where + ": " + what + " cannot cross to " + destination + kind.slice(end));
  }

  for (;;) {
    while (index === size) {
      if (frames.length === 0) return out.join("");
      out.push(keys ? "}" : "]");
      container = parents.pop();
      frame = frames.pop();
      keys = frame.keys;
      size = frame.size;
      index = frame.index;
    }
    head = index === 0 ? "" : ",";
    if (keys === null) {
      value = container[index++];
    } else {
      head += quoted(keys[index]) + ":";
      value = container[keys[index++]];
    }
    text = undefined;
    switch (typeof value) {
      case "string": text = quoted(value); break;
      case "number": text = numberText(value); break;
      case "boolean": text = value ? "true" : "false"; break;
      case "undefined": text = "null"; break;
      case "function": throw refusal(FUNCTION);
      case "symbol": throw refusal(REFUSED["[object Symbol]"]);
      case "bigint": throw refusal(REFUSED["[object BigInt]"]);
      case "object":
        if (value === null) {
          text = "null";
        } else {
          tag = isArray(value) ? "[object Arguments]" : tagOf.call(value);
          text = boxText(value, tag, refusal);
        }
        break;
      default: throw refusal(typeof value);  // Duktape's pointers
    }
    if (text !== undefined) {
      out.push(head + text);
      continue;
    }
    if (frames.length >= MAX_DEPTH) throw new RangeError(where + ": nested deeper than " + MAX_DEPTH + " levels");
    if (value === container || parents.indexOf(value) >= 0) throw refusal(CYCLE);
    parents.push(container);
    frames.push({ keys: keys, size: size, index: index });
    container = value;
    keys = tag === "[object Arguments]" ? null : keysOf(value);
    size = keys ? keys.length : value.length >>> 0;
    index = 0;
    out.push(head + (keys ? "{" : "["));
  }
}

// `.user.tags[2]: ` from frames whose index is one further; nothing without frames.
function placeOf(frames) {
  var place = frames.map(function (frame) {
    var key = frame.keys ? frame.keys[frame.index - 1] : frame.index - 1;
    if (typeof key === "number") return "[" + key + "]";
    return isIdentifier(key) ? "." + key : "[" + quoted(key) + "]";
  });
  return place.length ? place.join("") + ": " : "";
}

function isIdentifier(name) {
  return /^[A-Za-z_$][\w$]*$/.test(name);
}

var BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
var pairs = [];  // two letters for each twelve bits, from the first use on

function base64(bytes) {
  var out = [], size = bytes.length, i, bits;
  if (!pairs.length) for (i = 0; i < 4096; i++) pairs.push(BASE64[i >> 6] + BASE64[i & 63]);
  for (i = 0; i < size; i += 3) {
    bits = bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];  // what is beyond the end counts as 0
    out.push(pairs[bits >> 12], pairs[bits & 4095]);
  }
  if (i > size) out.push(out.pop().slice(0, size - i) + "==".slice(0, i - size));
  return out.join("");
}

// The arguments of one call, ready for call_python: what JSON carries exactly goes as it is, anything else as a
// one-element array that holds its text.
function packArguments(args) {
  var packed = [], i, value, type;
  for (i = 0; i < args.length; i++) {
    value = args[i];
    type = typeof value;
    if (type === "string" || type === "boolean") {
      packed[i] = value;
    } else if (value === undefined || value === null) {
      packed[i] = null;
    } else if (type === "number" && value <= MAX_SAFE && value >= -MAX_SAFE && (value !== 0 || 1 / value > 0)) {
      packed[i] = value;
    } else {
      packed[i] = [toText(value, "convert argument " + i, "a plugin")];
    }
  }
  return packed;
}

// The other way: `outcome.value` as jstext.write_exact wrote it, with what JSON cannot say put in its place.
function exactValue(outcome) {
  replaceAt(outcome.nan, outcome, function () { return NaN; });
  replaceAt(outcome.bytes, outcome, bytesOf);
  return outcome.value;
}

// `places` are pairs: the path of a container in `root`, and the keys of members there.
function replaceAt(places, root, replacement) {
  places.forEach(function (place) {
    var container = place[0].reduce(function (parent, key) { return parent[key]; }, root);
    place[1].forEach(function (key) { container[key] = replacement(container[key]); });
  });
}

function bytesOf(string) {
  var size = string.length, bytes = new Uint8Array(size), i;
  for (i = 0; i < size; i++) bytes[i] = string.charCodeAt(i);
  return bytes;
}
