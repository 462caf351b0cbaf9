// console.table, in the form that Node gives it.

exports.table = function (data, columns) {
  var keyed = shim.tagOf.call(data) === "[object Map]", listed = keyed || shim.tagOf.call(data) === "[object Set]";
  var head = [listed ? "(iteration index)" : "(index)"], names = [], rows = [], values = false;

  function add(index, key, value) {
    var row = { head: keyed ? [index, cell(key)] : [index], cells: Object.create(null) };
    if (!listed && value !== null && (typeof value === "object" || typeof value === "function")) {
      (columns || shim.keysOf(value)).forEach(function (name) {
        if (names.indexOf(name) < 0) names.push(name);
        if (Object.prototype.hasOwnProperty.call(value, name)) row.cells[name] = cell(value[name]);
      });
    } else {
      values = true;
      row.value = cell(value);
    }
    rows.push(row);
  }

  if (listed) data.forEach(function (value, key) { add(String(rows.length), key, value); });
  else shim.keysOf(data).forEach(function (key) { add(key, key, data[key]); });
  if (keyed) head.push("Key");
  return draw([head.concat(names, values ? ["Values"] : [])].concat(rows.map(function (row) {
    var cells = names.map(function (name) { return row.cells[name] || ""; });
    return row.head.concat(cells, values ? [row.value || ""] : []);
  })));
};

// A value in one line; what is too large for that is only named.
function cell(value) {
  var text = shim.inspect(value), isObject = value !== null && typeof value === "object" && !shim.isArray(value);
  if (isObject && shim.keysOf(value).length > 2) return "[Object]";
  if (text.indexOf("\n") < 0) return text;
  return isObject ? "[Object]" : "[Array]";
}

function draw(rows) {
  var widths = rows[0].map(function (_, column) {
    return Math.max.apply(null, rows.map(function (row) { return row[column].length; })) + 2;
  });

  function rule(left, middle, right) {
    return left + widths.map(function (width) { return new Array(width + 1).join("─"); }).join(middle) + right;
  }

  var lines = rows.map(function (row) {
    return "│" + row.map(function (text, column) {
      return " " + text + new Array(widths[column] - text.length).join(" ");
    }).join("│") + "│";
  });
  lines.splice(1, 0, rule("├", "┼", "┤"));
  return [rule("┌", "┬", "┐")].concat(lines, rule("└", "┴", "┘")).join("\n");
}
