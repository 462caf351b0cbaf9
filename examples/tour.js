// A tour of the example plugins. Six of them run in processes of their own, started before this script, and one in
// WebAssembly; require() gives their exports, and a call waits for the answer, or gives a promise of it.
const greeter = require("plugin:examples:greeter");
const clock = require("plugin:examples:clock");
const validator = require("plugin:examples:validator");
const kv = require("plugin:examples:kv");
const system = require("plugin:examples:system-info");
const failing = require("plugin:examples:failing");
const summer = require("plugin:examples:summer");

const chapter = (name, about) => console.log(`\n${name}: ${about}`);
const show = (call, answer) => console.log(`  ${call.padEnd(38)} ${JSON.stringify(answer)}`);

chapter("greeter", `functions and objects (process ${greeter.meta.pid()})`);
show('greet("hello")', greeter.greet("hello"));
show('strings.upper("straße")', greeter.strings.upper("straße"));

const { weekday, date, time, zone } = clock.utc.now();
chapter("clock", "an answer with structure");
show("utc.now()", { weekday, date, time, zone });

chapter("validator", "arguments are checked where they arrive");
show("grade(0.75)", validator.grade(0.75));
show("grade(0.75, true)", validator.grade(0.75, true));
show("profiles.check({ name }, tags)", validator.profiles.check({ name: "Ada" }, ["admin", "author"]));

chapter("kv", "state lives in the plugin as long as its process");
for (const [key, value] of Object.entries({ language: "JavaScript", plugins: "Python" })) {
  show(`store.set("${key}", "${value}")`, kv.store.set(key, value));
}
show("store.keys()", kv.store.keys());

const { goVersion, goos, goarch, pid } = system.runtime.snapshot();
chapter("system-info", `what the plugin sees around it (process ${pid})`);
show("runtime.snapshot()", { goVersion, goos, goarch });

chapter("failing", "a plugin's error is an exception that says what happened");
for (const number of [2, -1]) {
  try {
    show(`checks.requirePositive(${number})`, failing.checks.requirePositive(number));
  } catch (error) {
    show(`checks.requirePositive(${number})`, `${error.name}: ${error.message}`);
  }
}

chapter("summer", "a module in WebAssembly, in a sandbox and without a process");
show("sum(1, 2, 3.5)", summer.sum(1, 2, 3.5));

// f.async(...) does not wait, so these calls are under way at once, in three processes and a sandbox.
Promise.all([greeter.greet.async("async"), clock.now.async(), system.hostname.async(), summer.sum.async(20, 22)])
  .then(([greeting, now, hostname, sum]) => {
    chapter("all at once", "four calls, one wait");
    show("Promise.all([...])", [greeting, now.weekday, typeof hostname, sum]);
    return failing.always.async("no");
  })
  .catch((error) => show("rejected", error.message));
