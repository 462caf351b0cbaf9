// Values on their way out of JavaScript: the text that jsbridge/jstext.py reads.
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
  "[object WeakMap]": "WeakMap",
  "[object WeakSet]": "WeakSet",
  "[object WeakRef]": "WeakRef; pass ref.deref()",
  "[object ArrayBuffer]": "ArrayBuffer; pass new Uint8Array(buffer)",
  "[object SharedArrayBuffer]": "SharedArrayBuffer; pass new Uint8Array(buffer)",
  "[object DataView]": "DataView; pass new Uint8Array(view.buffer)",
  "[object Generator]": "Generator; pass Array.from(generator)",
  "[object AsyncGenerator]": "AsyncGenerator"
};
var ITERATOR = /Iterator/;
var TYPED_ARRAY = /^\[object ((?:Int|Uint|Float|BigInt|BigUint)\d+Array)\]$/;

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
  switch (tag) {
    case "[object Object]":
    case "[object Arguments]": return undefined;
    case "[object Number]": return numberText(numberOf.call(value));
    case "[object Boolean]": return String(booleanOf.call(value));
    case "[object Uint8Array]":
    case "[object Uint8ClampedArray]": return "\"" + base64(value) + "\"";
    default:
  }
  if (REFUSED.hasOwnProperty(tag)) throw refusal(REFUSED[tag]);
  if (ITERATOR.test(tag)) throw refusal("iterator; pass Array.from(iterator)");
  if (TYPED_ARRAY.test(tag)) throw refusal(tag.slice(8, -1) + "; pass Array.from(array)");
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
    var place = placeOf(frames.concat([{ keys: keys, index: index }]).slice(1));
    return new TypeError(where + ": " + place + kind.slice(0, end) + " cannot cross to " + destination + kind.slice(end));
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
      case "function": throw refusal("function");
      case "symbol": throw refusal(REFUSED["[object Symbol]"]);
      case "bigint": throw refusal(REFUSED["[object BigInt]"]);
      default:
        if (value === null) {
          text = "null";
        } else {
          tag = isArray(value) ? "[object Arguments]" : tagOf.call(value);
          text = boxText(value, tag, refusal);
        }
    }
    if (text !== undefined) {
      out.push(head + text);
      continue;
    }
    if (frames.length >= MAX_DEPTH) throw new RangeError(where + ": nested deeper than " + MAX_DEPTH + " levels");
    if (value === container || parents.indexOf(value) >= 0) throw refusal("cycle (the value contains itself)");
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

function base64(bytes) {
  var out = [], size = bytes.length, i, bits;
  for (i = 0; i + 2 < size; i += 3) {
    bits = bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];
    out.push(BASE64[bits >> 18] + BASE64[bits >> 12 & 63] + BASE64[bits >> 6 & 63] + BASE64[bits & 63]);
  }
  if (i + 1 === size) {
    bits = bytes[i] << 16;
    out.push(BASE64[bits >> 18] + BASE64[bits >> 12 & 63] + "==");
  } else if (i + 2 === size) {
    bits = bytes[i] << 16 | bytes[i + 1] << 8;
    out.push(BASE64[bits >> 18] + BASE64[bits >> 12 & 63] + BASE64[bits >> 6 & 63] + "=");
  }
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
