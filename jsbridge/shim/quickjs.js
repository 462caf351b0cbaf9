// What is QuickJS's own (dukpy 0.6): the form of its stacks.
//
// It calls every text that is evaluated "<input>", and this shim "<dukpy>". (Error.prepareStackTrace would give each
// error its real positions at its birth, but when the heap is full QuickJS frees a call site twice on that way.)

function quickjs() {
  var OF_BRIDGE = /^ {4}at .*\(<dukpy>:\d+:\d+\)$/;
  var NATIVE = /^ {4}at .* \(native\)$/;
  var FRAME = /<eval> \(<input>:(\d+):(\d+)\)|<input>:(\d+):(\d+)/g;

  // A stack has ten lines; what is below them is of the bridge.
  function isOfBridge(line) {
    return !line || OF_BRIDGE.test(line);
  }

  return {
    readable: function (text) {
      var lines, kept;
      if (text.indexOf("<input>:") < 0 && text.indexOf("(<dukpy>:") < 0) return text;
      lines = text.split("\n");
      kept = lines.filter(function (line, index) {
        return !OF_BRIDGE.test(line) && !(NATIVE.test(line) && isOfBridge(lines[index + 1]));
      });
      return kept.join("\n").replace(FRAME, function (match, line, column, bareLine, bareColumn) {
        return positionOf(+(line || bareLine), +(column || bareColumn));
      });
    },
    // What is evaluated is what was written.
    source: function (name, text) { return text; },
    // An indirect eval keeps its let, const and class to itself.
    lexicalNames: lexicalNames
  };
}
