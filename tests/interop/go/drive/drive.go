// Package drive makes a go-plugin host out of a plugin contract: a program that launches one plugin and does with it
// what its stdin says, one JSON object per line, one answering line per command.
//
//	{"op": "ping"}                               -> {"ok": true, "result": null}
//	{"op": "no such op"}                         -> {"ok": false, "error": "unknown op \"no such op\""}
//	{"op": "get", "key": "x", "timeout_ms": 100} -> {"ok": false, "error": "rpc error: ...", "code": "DeadlineExceeded"}
//
// The first line it prints answers the launch itself, with the negotiated version, the plugin's process id, and what
// another host has to know to reattach; if that is an error, the program ends with code 1. At the end of its stdin it
// kills the plugin and ends with code 0. With -reattach it launches nothing, and takes the plugin that the flag names.
//
// Every host knows these; the contract adds its own:
//
//	ping
//	kill                    -> {"ms": how long it took, "exited": true}
//	detach                  -> null, and then the program ends and leaves the plugin running
//	stdio [stdout] [stderr] -> {"stdout": all that was synced so far, "stderr": ...}; waits for the given texts
//	logs [contains]         -> all that the host's logger got so far, as hclog's JSON objects; waits for the given text
//
// What a command waits for or calls has 5 seconds, or its timeout_ms. A text waited in vain is no error.
package drive

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/status"
)

// Operation is one command of a contract. Stub is what the contract dispenses; command is the whole JSON object.
type Operation[Stub any] func(ctx context.Context, stub Stub, command []byte) (any, error)

// NewConfig returns a configuration that the command line's flags change.
func NewConfig() *plugin.ClientConfig {
	config := &plugin.ClientConfig{AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}}
	flag.BoolVar(&config.AutoMTLS, "automtls", false, "exchange certificates with the plugin")
	flag.BoolVar(&config.GRPCBrokerMultiplex, "multiplex", false, "one connection for everything, with yamux")
	flag.DurationVar(&config.StartTimeout, "start-timeout", time.Minute, "how long the handshake may take")
	flag.Func("reattach", `the running plugin's "reattach", as the launch answered it`, func(text string) error {
		running := reattach{}
		if err := json.Unmarshal([]byte(text), &running); err != nil {
			return err
		}
		config.Reattach = running.config()
		return nil
	})
	return config
}

// reattach is a plugin.ReattachConfig as JSON, for plugins on unix sockets.
type reattach struct {
	Protocol plugin.Protocol
	Version  int
	Pid      int
	Address  string
	Test     bool
}

func (r reattach) config() *plugin.ReattachConfig {
	return &plugin.ReattachConfig{
		Protocol:        r.Protocol,
		ProtocolVersion: r.Version,
		Addr:            &net.UnixAddr{Net: "unix", Name: r.Address},
		Pid:             r.Pid,
		Test:            r.Test,
	}
}

// Main launches the plugin that the command line's arguments name, dispenses `name` and follows stdin to its end.
func Main[Stub any](config *plugin.ClientConfig, name string, operations map[string]Operation[Stub]) {
	if flag.NArg() == 0 && config.Reattach == nil {
		fmt.Fprintf(os.Stderr, "usage: %s [FLAG...] PLUGIN [ARGUMENT...]\n", os.Args[0])
		os.Exit(2)
	}
	// A plugin inherits the host's stdin; this one is not for it.
	commands := os.Stdin
	os.Stdin, _ = os.Open(os.DevNull)

	h := &host[Stub]{stdout: newTranscript(), stderr: newTranscript(), logs: newTranscript(), operations: operations}
	if config.Reattach == nil {
		config.Cmd = exec.Command(flag.Arg(0), flag.Args()[1:]...)
	}
	config.SyncStdout = h.stdout
	config.SyncStderr = h.stderr
	config.Logger = hclog.New(&hclog.LoggerOptions{Name: "host", Level: hclog.Trace, JSONFormat: true, Output: h.logs})
	h.client = plugin.NewClient(config)

	launched, err := h.launch(name)
	answer(launched, err)
	if err != nil {
		h.client.Kill()
		os.Exit(1)
	}
	h.follow(commands)
	h.client.Kill()
}

type host[Stub any] struct {
	client               *plugin.Client
	protocol             plugin.ClientProtocol
	stub                 Stub
	operations           map[string]Operation[Stub]
	stdout, stderr, logs *transcript
}

func (h *host[Stub]) launch(name string) (any, error) {
	protocol, err := h.client.Client()
	if err != nil {
		return nil, err
	}
	dispensed, err := protocol.Dispense(name)
	if err != nil {
		return nil, err
	}
	h.protocol, h.stub = protocol, dispensed.(Stub)
	launched := map[string]any{
		"version":  h.client.NegotiatedVersion(),
		"protocol": h.client.Protocol(),
		"pid":      h.client.ID(),
	}
	if running := h.client.ReattachConfig(); running != nil {
		launched["reattach"] = reattach{running.Protocol, running.ProtocolVersion, running.Pid, running.Addr.String(), running.Test}
	}
	return launched, nil
}

func (h *host[Stub]) follow(commands io.Reader) {
	decoder := json.NewDecoder(commands)
	for {
		var command json.RawMessage
		if err := decoder.Decode(&command); err == io.EOF {
			return
		} else if err != nil {
			answer(nil, err)
			return
		}
		answer(h.obey(command))
	}
}

func (h *host[Stub]) obey(command []byte) (any, error) {
	request := struct {
		Op                       string
		TimeoutMS                int `json:"timeout_ms"`
		Stdout, Stderr, Contains string
	}{TimeoutMS: 5000}
	if err := json.Unmarshal(command, &request); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(request.TimeoutMS)*time.Millisecond)
	defer cancel()
	switch request.Op {
	case "ping":
		return nil, h.protocol.Ping()
	case "kill":
		start := time.Now()
		h.client.Kill()
		return map[string]any{"ms": time.Since(start).Milliseconds(), "exited": h.client.Exited()}, nil
	case "detach":
		answer(nil, nil)
		os.Exit(0)
	case "stdio":
		return map[string]string{
			"stdout": string(h.stdout.wait(ctx, request.Stdout)),
			"stderr": string(h.stderr.wait(ctx, request.Stderr)),
		}, nil
	case "logs":
		entries := []json.RawMessage{}
		for line := range bytes.Lines(h.logs.wait(ctx, request.Contains)) {
			entries = append(entries, json.RawMessage(line))
		}
		return entries, nil
	}
	operation, known := h.operations[request.Op]
	if !known {
		return nil, fmt.Errorf("unknown op %q", request.Op)
	}
	return operation(ctx, h.stub, command)
}

func answer(result any, err error) {
	reply := map[string]any{"ok": true, "result": result}
	if err != nil {
		reply = map[string]any{"ok": false, "error": err.Error()}
		if rpc, isStatus := status.FromError(err); isStatus {
			reply["code"] = rpc.Code().String()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(reply); err != nil {
		fmt.Fprintln(os.Stderr, "cannot answer:", err)
		os.Exit(1)
	}
}
