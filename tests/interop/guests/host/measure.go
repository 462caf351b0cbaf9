package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"guests/everything"
)

// What the benchmarks ask for: one JSON object per line, one answering line per command, the first one for the start.
//
//	{"op": "greet", "seconds": 0.2}  -> {"p50_us": ..., "p99_us": ..., "calls_per_s": ...}, of Greet
//	{"op": "ask", "seconds": 0.2}    -> the same of GreetInWordsOfTheHost, which calls two functions of the host
//	{"op": "load"}                   -> {"load_ms": ...}, of what upstream's Load does, its compiling included
type command struct {
	Op      string
	Seconds float64
}

type figures map[string]float64

func measure(ctx context.Context, file string) error {
	plugin, err := load(ctx, file)
	if err != nil {
		return err
	}
	defer plugin.Close(ctx)
	answer(figures{"plugin_pid": float64(os.Getpid())}, nil)
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		var command command
		if err := json.Unmarshal(commands.Bytes(), &command); err != nil {
			return err
		}
		answer(obey(ctx, plugin, file, command))
	}
	return commands.Err()
}

func answer(result figures, err error) {
	reply := map[string]any{"ok": true, "result": result}
	if err != nil {
		reply = map[string]any{"ok": false, "error": err.Error()}
	}
	if err := json.NewEncoder(os.Stdout).Encode(reply); err != nil {
		fmt.Fprintln(os.Stderr, "cannot answer:", err)
	}
}

func obey(ctx context.Context, plugin everythingPlugin, file string, command command) (figures, error) {
	call := plugin.Greet
	switch command.Op {
	case "load":
		begin := time.Now()
		another, err := load(ctx, file)
		if err != nil {
			return nil, err
		}
		took := time.Since(begin)
		return figures{"load_ms": took.Seconds() * 1e3}, another.Close(ctx)
	case "ask":
		call = plugin.GreetInWordsOfTheHost
	case "greet":
	default:
		return nil, fmt.Errorf("no such operation: %s", command.Op)
	}
	var times []time.Duration
	total := time.Duration(0)
	for total.Seconds() < command.Seconds {
		begin := time.Now()
		if _, err := call(ctx, &everything.Text{Text: "Ada"}); err != nil {
			return nil, err
		}
		times = append(times, time.Since(begin))
		total += times[len(times)-1]
	}
	slices.Sort(times)
	return figures{
		"p50_us":      times[len(times)/2].Seconds() * 1e6,
		"p99_us":      times[len(times)*99/100].Seconds() * 1e6,
		"calls_per_s": float64(len(times)) / total.Seconds(),
	}, nil
}
