;; A JavaScript module by hand: require("plugin:examples:summer").sum(1, 2, 3.5) is 6.5.
;;
;; The contract is proto/jsbridge/_proto/jsmodule.proto. Its messages are fields one after the other, each a tag, a length
;; where the tag says so, and the content; here only lengths below 128 have to be read, and numbers of eight bytes.
(module
  (memory (export "memory") 2)              ;; 0: what we have to say, 4 KiB: the answer, 64 KiB on: the request

  ;; ModuleManifest: module_name, version, exports {name, kind = FUNCTION, doc}, doc.
  (data (i32.const 0)
    "\0a\16plugin:examples:summer"
    "\12\02v1"
    "\1a\1d" "\0a\03sum" "\10\01" "\1a\14The sum of its args."
    "\2a\1dArithmetic without a process.")
  (data (i32.const 256) "every argument has to be a number")
  (data (i32.const 320) "unsupported export")

  (func (export "js_module_service_api_version") (result i64) (i64.const 1))
  (func (export "malloc") (param $size i32) (result i32)
    (select (i32.const 65536) (i32.const 0) (i32.le_u (local.get $size) (i32.const 65536))))
  (func (export "free") (param i32))

  (func (export "js_module_service_get_manifest") (param i32 i32) (result i64)
    (call $result (i32.const 0) (i32.const 90)))

  ;; InvokeRequest: export_name, method_name, args.
  (func (export "js_module_service_invoke") (param $at i32) (param $size i32) (result i64)
    (local $end i32) (local $length i32) (local $sum f64)
    (local.set $end (i32.add (local.get $at) (local.get $size)))
    (if (i32.eqz (call $is_sum (local.get $at) (local.get $size)))
      (then (return (call $error (i32.const 320) (i32.const 18)))))
    (loop $next
      (if (i32.ge_u (local.get $at) (local.get $end))
        (then (return (call $number (local.get $sum)))))
      (local.set $length (i32.load8_u offset=1 (local.get $at)))
      ;; An argument is a Value; that of a number is its field 2, eight bytes.
      (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x1a))
        (then
          (if (i32.or (i32.ne (local.get $length) (i32.const 9))
                      (i32.ne (i32.load8_u offset=2 (local.get $at)) (i32.const 0x11)))
            (then (return (call $error (i32.const 256) (i32.const 33)))))
          (local.set $sum (f64.add (local.get $sum) (f64.load offset=3 (local.get $at))))))
      (local.set $at (i32.add (local.get $at) (i32.add (local.get $length) (i32.const 2))))
      (br $next))
    (unreachable))

  ;; Whether the request is one for the function `sum`: it begins 0a 03 "sum".
  (func $is_sum (param $at i32) (param $size i32) (result i32)
    (if (i32.lt_u (local.get $size) (i32.const 5)) (then (return (i32.const 0))))
    (i32.and
      (i32.eq (i32.load (local.get $at)) (i32.const 0x7573030a))
      (i32.eq (i32.load8_u offset=4 (local.get $at)) (i32.const 0x6d))))

  ;; InvokeResponse {result: Value {number_value}}
  (func $number (param $value f64) (result i64)
    (i32.store (i32.const 4096) (i32.const 0x11090a))
    (f64.store (i32.const 4099) (local.get $value))
    (call $result (i32.const 4096) (i32.const 11)))

  (func $result (param $pointer i32) (param $size i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $pointer)) (i64.const 32)) (i64.extend_i32_u (local.get $size))))

  ;; The bit above the size says that the bytes are the text of an error.
  (func $error (param $pointer i32) (param $size i32) (result i64)
    (i64.or (call $result (local.get $pointer) (local.get $size)) (i64.const 0x80000000))))
