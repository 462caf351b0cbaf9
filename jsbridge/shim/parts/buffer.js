// Node's Buffer, as far as texts and bytes become one another: a Uint8Array with a few more methods.

var encoding = shim.part("encoding");

// Each way to write bytes as text: [from text, to text].
var ENCODINGS = Object.create(null);
ENCODINGS.utf8 = ENCODINGS["utf-8"] = [encoding.encodeUTF8, function (bytes) { return encoding.decodeUTF8(bytes); }];
ENCODINGS.latin1 = ENCODINGS.binary = [encoding.latin1Bytes, encoding.fromUnits];
ENCODINGS.ascii = [encoding.latin1Bytes, function (bytes) {
  return encoding.fromUnits(Array.prototype.map.call(bytes, function (byte) { return byte & 127; }));
}];
ENCODINGS.base64 = [encoding.decodeBase64, shim.base64];
ENCODINGS.base64url = [encoding.decodeBase64, function (bytes) {
  return shim.base64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}];
ENCODINGS.hex = [fromHex, function (bytes) {
  return Array.prototype.map.call(bytes, function (byte) { return (byte < 16 ? "0" : "") + byte.toString(16); }).join("");
}];

function codec(name) {
  var found = ENCODINGS[name === undefined ? "utf8" : String(name).toLowerCase()], error;
  if (found) return found;
  error = new TypeError("Unknown encoding: " + name);
  error.code = "ERR_UNKNOWN_ENCODING";
  throw error;
}

// As far as the text is hexadecimal.
function fromHex(text) {
  var bytes = [], i;
  for (i = 0; i + 1 < text.length && /^[0-9a-f]{2}$/i.test(text.substr(i, 2)); i += 2) {
    bytes.push(parseInt(text.substr(i, 2), 16));
  }
  return new Uint8Array(bytes);
}

function Buffer() {
  throw new TypeError("Buffer is no constructor here: use Buffer.from, Buffer.alloc or Buffer.concat");
}

function wrap(bytes) {
  return Object.setPrototypeOf(bytes, Buffer.prototype);
}

function isBytes(value) {
  return value instanceof Uint8Array;
}

function checkBytes(value) {
  if (!isBytes(value)) throw new TypeError("expected a Buffer or Uint8Array, not " + shim.inspect(value));
  return value;
}

Buffer.prototype = Object.create(Uint8Array.prototype);
shim.define(Buffer.prototype, "constructor", Buffer);

var methods = {
  toString: function (name, start, end) {
    return codec(name)[1](start === undefined && end === undefined ? this : this.subarray(start, end));
  },
  toJSON: function () {
    return { type: "Buffer", data: Array.prototype.slice.call(this) };
  },
  equals: function (other) {
    return Buffer.compare(this, other) === 0;
  },
  subarray: function (start, end) {
    return wrap(Uint8Array.prototype.subarray.call(this, start === undefined ? 0 : start, end));
  },
  slice: function (start, end) {  // shares its bytes, in Node too
    return this.subarray(start, end);
  }
};
shim.keysOf(methods).forEach(function (name) { shim.define(Buffer.prototype, name, methods[name]); });

Buffer.from = function (value, name, length) {
  if (typeof value === "string") return wrap(codec(name)[0](value));
  if (value instanceof ArrayBuffer) {  // shares its bytes
    return wrap(length === undefined ? new Uint8Array(value, name || 0) : new Uint8Array(value, name || 0, length));
  }
  if (isBytes(value) || shim.isArray(value)) return wrap(new Uint8Array(value));
  throw new TypeError("Buffer.from takes a string, an array, bytes or an ArrayBuffer, not " + shim.inspect(value));
};

Buffer.alloc = function (size, fill, name) {
  var buffer = wrap(new Uint8Array(size)), pattern = fill, i;
  if (typeof fill === "number") pattern = [fill];
  else if (typeof fill === "string") pattern = codec(name)[0](fill);
  if (pattern && pattern.length) for (i = 0; i < size; i++) buffer[i] = pattern[i % pattern.length];
  return buffer;
};

Buffer.concat = function (list, total) {
  var size = 0, position = 0, buffer;
  list.forEach(function (bytes) { size += checkBytes(bytes).length; });
  buffer = Buffer.alloc(total === undefined ? size : total);
  list.forEach(function (bytes) {
    var room = buffer.length - position;
    buffer.set(bytes.length > room ? bytes.subarray(0, room) : bytes, position);
    position += Math.min(bytes.length, room);
  });
  return buffer;
};

Buffer.compare = function (one, other) {
  var size = Math.min(checkBytes(one).length, checkBytes(other).length), i;
  for (i = 0; i < size; i++) if (one[i] !== other[i]) return one[i] < other[i] ? -1 : 1;
  return one.length === other.length ? 0 : one.length < other.length ? -1 : 1;
};

Buffer.byteLength = function (value, name) {
  return typeof value === "string" ? codec(name)[0](value).length : value.byteLength;
};

Buffer.isBuffer = function (value) {
  return value instanceof Buffer;
};

Buffer.isEncoding = function (name) {
  return typeof name === "string" && name.toLowerCase() in ENCODINGS;
};

exports.Buffer = Buffer;

// What console.log prints.
exports.show = function (buffer) {
  var hex = buffer.toString("hex", 0, 50).replace(/../g, " $&") || " ", more = buffer.length - 50;
  return "<Buffer" + hex + (more > 0 ? " ... " + more + " more byte" + (more > 1 ? "s" : "") : "") + ">";
};
