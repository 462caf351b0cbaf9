;; A plugin for greet.proto by hand: SayHello answers "Hello, NAME!".
;;
;; Both messages have one string, field 1: the byte 0x0a, the length in seven-bit groups, the text. A name is cut at
;; 60 KiB; a request whose first field is another one, or that is cut short, is answered as one without a name.
(module
  (memory (export "memory") 3)                  ;; 0: our text, 64 KiB on: the request, 128 KiB on: the answer
  (data (i32.const 0) "Hello, ")

  (func (export "greeter_api_version") (result i64) (i64.const 1))

  ;; The host's only allocation is the request, which is used up when the call returns.
  (func (export "malloc") (param $size i32) (result i32)
    (select (i32.const 65536) (i32.const 0) (i32.le_u (local.get $size) (i32.const 65536))))
  (func (export "free") (param i32))

  (func (export "greeter_say_hello") (param $request i32) (param $size i32) (result i64)
    (local $end i32) (local $length i32) (local $shift i32) (local $byte i32) (local $out i32) (local $total i32)
    (local.set $end (i32.add (local.get $request) (local.get $size)))

    ;; The name: $length bytes at $request.
    (if (i32.gt_u (local.get $size) (i32.const 1))
      (then
        (if (i32.eq (i32.load8_u (local.get $request)) (i32.const 0x0a))
          (then
            (local.set $request (i32.add (local.get $request) (i32.const 1)))
            (block $read
              (loop $next
                (br_if $read (i32.ge_u (local.get $request) (local.get $end)))
                (local.set $byte (i32.load8_u (local.get $request)))
                (local.set $request (i32.add (local.get $request) (i32.const 1)))
                (local.set $length (i32.or (local.get $length)
                  (i32.shl (i32.and (local.get $byte) (i32.const 0x7f)) (local.get $shift))))
                (local.set $shift (i32.add (local.get $shift) (i32.const 7)))
                (br_if $next (i32.ge_u (local.get $byte) (i32.const 0x80)))))))))
    (if (i32.gt_u (local.get $length) (i32.sub (local.get $end) (local.get $request)))
      (then (local.set $length (i32.const 0))))
    (if (i32.gt_u (local.get $length) (i32.const 61440))
      (then (local.set $length (i32.const 61440))))

    ;; The answer: tag, length of "Hello, " and name and "!", and those three.
    (local.set $total (i32.add (local.get $length) (i32.const 8)))
    (i32.store8 (i32.const 131072) (i32.const 0x0a))
    (local.set $out (i32.const 131073))
    (loop $next
      (local.set $byte (i32.and (local.get $total) (i32.const 0x7f)))
      (local.set $total (i32.shr_u (local.get $total) (i32.const 7)))
      (if (local.get $total) (then (local.set $byte (i32.or (local.get $byte) (i32.const 0x80)))))
      (i32.store8 (local.get $out) (local.get $byte))
      (local.set $out (i32.add (local.get $out) (i32.const 1)))
      (br_if $next (local.get $total)))
    (memory.copy (local.get $out) (i32.const 0) (i32.const 7))
    (local.set $out (i32.add (local.get $out) (i32.const 7)))
    (memory.copy (local.get $out) (local.get $request) (local.get $length))
    (local.set $out (i32.add (local.get $out) (local.get $length)))
    (i32.store8 (local.get $out) (i32.const 33))

    ;; Pointer and size in one number.
    (i64.or
      (i64.shl (i64.const 131072) (i64.const 32))
      (i64.extend_i32_u (i32.sub (i32.add (local.get $out) (i32.const 1)) (i32.const 131072))))))
