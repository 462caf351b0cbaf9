// TextEncoder, TextDecoder, atob and btoa, as the WHATWG standards "Encoding" and "HTML" define them, for UTF-8 alone.

var WHITE_SPACE = /[\t\n\f\r ]/g;
var ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
var CHUNK = 4096;  // String.fromCharCode takes its arguments on the stack

var digits = Object.create(null);
ALPHABET.split("").forEach(function (letter, digit) { digits[letter] = digit; });
digits["-"] = digits["+"];
digits["_"] = digits["/"];

function TextEncoder() {
  if (!(this instanceof TextEncoder)) throw new TypeError("TextEncoder is a constructor: use new");
}
shim.define(TextEncoder.prototype, "encoding", "utf-8");
shim.define(TextEncoder.prototype, "encode", function (text) {
  return encodeUTF8(text === undefined ? "" : String(text));
});

function TextDecoder(label, options) {
  var name = label === undefined ? "utf-8" : String(label).trim().toLowerCase();
  if (!(this instanceof TextDecoder)) throw new TypeError("TextDecoder is a constructor: use new");
  if (["utf-8", "utf8", "unicode-1-1-utf-8"].indexOf(name) < 0) {
    throw new RangeError("The \"" + label + "\" encoding is not supported");
  }
  shim.define(this, "encoding", "utf-8");
  shim.define(this, "fatal", Boolean(options && options.fatal));
  shim.define(this, "ignoreBOM", Boolean(options && options.ignoreBOM));
}
shim.define(TextDecoder.prototype, "decode", function (input, options) {
  var bytes = input === undefined ? [] : bytesOf(input), text;
  if (options && options.stream) throw new TypeError("TextDecoder decodes whole texts: the option stream is not supported");
  text = decodeUTF8(bytes, this.fatal);
  return !this.ignoreBOM && text.charAt(0) === "\ufeff" ? text.slice(1) : text;
});

function bytesOf(input) {
  if (input instanceof ArrayBuffer) return new Uint8Array(input);
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  throw new TypeError("bytes are an ArrayBuffer or a view of one, not " + shim.inspect(input));
}

function encodeUTF8(text) {
  var bytes = [], i, code, low;
  for (i = 0; i < text.length; i++) {
    code = text.charCodeAt(i);
    if (code >= 0xd800 && code < 0xe000) {
      low = code < 0xdc00 ? text.charCodeAt(i + 1) : 0;
      if (low >= 0xdc00 && low < 0xe000) {
        code = (code - 0xd800 << 10) + low - 0xdc00 + 0x10000;
        i++;
      } else {
        code = 0xfffd;
      }
    }
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(code >> 6 | 0xc0, code & 63 | 0x80);
    else if (code < 0x10000) bytes.push(code >> 12 | 0xe0, code >> 6 & 63 | 0x80, code & 63 | 0x80);
    else bytes.push(code >> 18 | 0xf0, code >> 12 & 63 | 0x80, code >> 6 & 63 | 0x80, code & 63 | 0x80);
  }
  return new Uint8Array(bytes);
}

// What is not UTF-8 becomes U+FFFD, one for each longest beginning of a character, or if fatal a TypeError.
function decodeUTF8(bytes, fatal) {
  var units = [], i = 0, code, more, low, high;
  while (i < bytes.length) {
    code = bytes[i++];
    low = 0x80;
    high = 0xbf;
    more = code < 0x80 ? 0 : code < 0xc2 ? -1 : code < 0xe0 ? 1 : code < 0xf0 ? 2 : code < 0xf5 ? 3 : -1;
    if (code === 0xe0) low = 0xa0;       // shorter forms exist
    else if (code === 0xed) high = 0x9f; // surrogates
    else if (code === 0xf0) low = 0x90;
    else if (code === 0xf4) high = 0x8f; // beyond U+10FFFF
    if (more > 0) code &= 0x3f >> more;
    while (more > 0 && bytes[i] >= low && bytes[i] <= high) {
      code = code << 6 | bytes[i++] & 63;
      more--;
      low = 0x80;
      high = 0xbf;
    }
    if (more !== 0) {
      if (fatal) throw new TypeError("The encoded data was not valid for encoding utf-8");
      code = 0xfffd;
    }
    if (code > 0xffff) units.push(0xd800 + (code - 0x10000 >> 10), 0xdc00 + (code & 0x3ff));
    else units.push(code);
  }
  return fromUnits(units);
}

function fromUnits(units) {
  var pieces = [], i;
  for (i = 0; i < units.length; i += CHUNK) {
    pieces.push(String.fromCharCode.apply(null, Array.prototype.slice.call(units, i, i + CHUNK)));
  }
  return pieces.join("");
}

// The bytes of base64, of either alphabet; what is no letter of it is skipped, as Node's Buffer does.
function decodeBase64(text) {
  var bytes = [], bits = 0, count = 0, i, digit;
  for (i = 0; i < text.length && text.charAt(i) !== "="; i++) {
    digit = digits[text.charAt(i)];
    if (digit === undefined) continue;
    bits = bits << 6 | digit;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push(bits >> count & 255);
    }
  }
  return new Uint8Array(bytes);
}

function invalidCharacter(text) {
  return shim.define(new Error(text), "name", "InvalidCharacterError");
}

function latin1Bytes(text) {
  var bytes = new Uint8Array(text.length), i;
  for (i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

exports.TextEncoder = TextEncoder;
exports.TextDecoder = TextDecoder;
exports.btoa = function btoa(data) {
  data = String(data);
  if (/[^\0-\xff]/.test(data)) throw invalidCharacter("Invalid character");
  return shim.base64(latin1Bytes(data));
};
exports.atob = function atob(data) {
  data = String(data).replace(WHITE_SPACE, "");
  if (data.length % 4 === 0) data = data.replace(/={1,2}$/, "");
  if (data.length % 4 === 1 || /[^A-Za-z0-9+\/]/.test(data)) {
    throw invalidCharacter("The string to be decoded is not correctly encoded.");
  }
  return fromUnits(decodeBase64(data));
};
exports.encodeUTF8 = encodeUTF8;
exports.decodeUTF8 = decodeUTF8;
exports.decodeBase64 = decodeBase64;
exports.latin1Bytes = latin1Bytes;
exports.fromUnits = fromUnits;
exports.bytesOf = bytesOf;
