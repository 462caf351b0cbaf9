// Command benchhost is the Go host of the comparison. It launches the plugin that its arguments name, and does with it
// what its stdin says: one JSON object per line, one answering line per command, like benchmarks/host_process.py.
//
//	{"op": "unary", "seconds": 0.3}                  -> {"p50_us": ..., "p99_us": ..., "calls_per_s": ...}
//	{"op": "calls", "count": 100000}                 -> {}
//	{"op": "in_flight", "calls": 64, "seconds": 0.5} -> {"calls_per_s": ...}
//	{"op": "large", "size": 1048576, "calls": 4}     -> {"mb_per_s": ...}, both directions counted
//	{"op": "stream", "count": 10000}                 -> {"messages_per_s": ...}
//	{"op": "open", "count": 10}                      -> {"pids": [...]}, of as many further plugins, which stay open
//
// These need no plugin, and so none need be named:
//
//	{"op": "run", "command": [...]}                                   -> {"ms": ...}, from launch to exit
//	{"op": "spawn", "command": [...], "cookie": "K=V", "path": "/.."} -> {"ms": ...}, from launch to first reply
//
// Before the plugin's command, -tls asks for certificates on both sides (AutoMTLS), -mux for one connection (yamux).
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"benchpeers/contract"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

const cookie = "BENCH_PLUGIN=bench"

type command struct {
	Op      string
	Seconds float64
	Calls   int
	Count   int
	Size    int
	Command []string
	Cookie  string
	Path    string
}

func main() {
	// A plugin inherits the host's stdin; this one is not for it.
	commands := bufio.NewScanner(os.Stdin)
	os.Stdin, _ = os.Open(os.DevNull)
	defer plugin.CleanupClients()

	var wanted transport
	flag.BoolVar(&wanted.tls, "tls", false, "certificates on both sides")
	flag.BoolVar(&wanted.mux, "mux", false, "one connection for everything")
	flag.Parse()

	host := &host{command: flag.Args(), transport: wanted}
	if len(host.command) == 0 {
		answer(map[string]any{"plugin_pid": 0}, nil)
	} else if client, connection, err := launch(host.command, cookie, wanted); err != nil {
		answer(nil, err)
		return
	} else {
		host.bench = contract.NewBenchClient(connection)
		answer(map[string]any{"plugin_pid": pid(client)}, nil)
	}
	for commands.Scan() {
		answer(host.obey(commands.Bytes()))
	}
}

func answer(result any, err error) {
	reply := map[string]any{"ok": true, "result": result}
	if err != nil {
		reply = map[string]any{"ok": false, "error": err.Error()}
	}
	if err := json.NewEncoder(os.Stdout).Encode(reply); err != nil {
		fmt.Fprintln(os.Stderr, "cannot answer:", err)
		os.Exit(1)
	}
}

// transport is what a host may ask of the connection to its plugin.
type transport struct {
	tls, mux bool
}

type host struct {
	command   []string
	transport transport
	bench     contract.BenchClient
}

func (h *host) obey(line []byte) (any, error) {
	var c command
	if err := json.Unmarshal(line, &c); err != nil {
		return nil, err
	}
	switch c.Op {
	case "unary":
		return h.unary(c.Seconds)
	case "calls":
		return map[string]any{}, h.calls(c.Count)
	case "in_flight":
		return h.inFlight(c.Calls, c.Seconds)
	case "large":
		return h.large(c.Size, c.Calls)
	case "stream":
		return h.stream(c.Count)
	case "open":
		return h.open(c.Count)
	case "run":
		return run(c.Command)
	case "spawn":
		return spawn(c.Command, c.Cookie, c.Path)
	}
	return nil, fmt.Errorf("unknown op %q", c.Op)
}

// launch starts a plugin and connects to it, as every Go host does.
func launch(command []string, cookie string, wanted transport) (*plugin.Client, *grpc.ClientConn, error) {
	key, value, _ := strings.Cut(cookie, "=")
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: 1, MagicCookieKey: key, MagicCookieValue: value,
		},
		Plugins:             plugin.PluginSet{contract.DispenseName: &contract.Plugin{}},
		Cmd:                 exec.Command(command[0], command[1:]...),
		AllowedProtocols:    []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:            wanted.tls,
		GRPCBrokerMultiplex: wanted.mux,
		Managed:             true,
		Logger:              hclog.NewNullLogger(),
	})
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, nil, err
	}
	dispensed, err := protocol.Dispense(contract.DispenseName)
	if err != nil {
		client.Kill()
		return nil, nil, err
	}
	return client, dispensed.(*grpc.ClientConn), nil
}

func pid(client *plugin.Client) int {
	return client.ReattachConfig().Pid
}
