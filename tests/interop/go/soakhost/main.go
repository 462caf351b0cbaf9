// Command soakhost launches one plugin of package matrix again and again, with AutoMTLS and over one connection.
//
//	soakhost PLUGIN [ARGUMENT...]
//
// It does what its stdin says, a word per line, and answers each with a line of JSON:
//
//	run   -> {"pid": 123}: the plugin was launched, calls and brokered connections both ways went well, and it has ended
//	      -> {"error": "...", "stderr": "..."}: something did not, with what the plugin wrote to its stderr
//	count -> {"goroutines": 1, "files": 8, "sockets": 0}: what this process has now
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"gopeers/matrix"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

const grace = 2 * time.Second // what Kill gives a plugin to end by itself

func main() {
	commands := os.Stdin
	os.Stdin, _ = os.Open(os.DevNull) // a plugin inherits the host's
	answers := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(commands); lines.Scan(); {
		var answer any
		switch lines.Text() {
		case "run":
			stderr := &bytes.Buffer{}
			pid, err := run(stderr)
			if answer = map[string]any{"pid": pid}; err != nil {
				answer = map[string]any{"error": err.Error(), "stderr": stderr.String()}
			}
		case "count":
			answer = count()
		default:
			log.Fatalf("unknown command %q", lines.Text())
		}
		if err := answers.Encode(answer); err != nil {
			log.Fatal(err)
		}
	}
}

func run(stderr *bytes.Buffer) (pid int, err error) {
	sets, err := matrix.Plugins("1")
	if err != nil {
		return 0, err
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:     matrix.Handshake,
		VersionedPlugins:    sets,
		Cmd:                 exec.Command(os.Args[1], os.Args[2:]...),
		AllowedProtocols:    []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:            true,
		GRPCBrokerMultiplex: true,
		Stderr:              stderr,
		Logger:              hclog.NewNullLogger(),
	})
	defer client.Kill()
	protocol, err := client.Client()
	if err != nil {
		return 0, err
	}
	dispensed, err := protocol.Dispense(matrix.DispenseName)
	if err != nil {
		return 0, err
	}
	if err := use(dispensed.(*matrix.Client)); err != nil {
		return 0, err
	}
	pid, err = strconv.Atoi(client.ID())
	if err != nil {
		return 0, err
	}
	start := time.Now()
	client.Kill()
	if took := time.Since(start); took >= grace {
		return 0, fmt.Errorf("the plugin did not end by itself: Kill took %v", took)
	}
	return pid, nil
}

func use(client *matrix.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := client.Call(ctx, "Echo", []byte("x")); err != nil {
		return err
	}
	if _, err := client.CallBack(ctx, "x", 2); err != nil {
		return err
	}
	_, err := client.Offered(ctx, "x")
	return err
}

func count() map[string]int {
	runtime.GC() // closes what nobody holds any more
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	// A broker forgets an answered knock five seconds later, closed or not.
	waiting := bytes.Count(stacks, []byte("(*GRPCBroker).timeoutWait("))
	counts := map[string]int{"goroutines": runtime.NumGoroutine() - waiting, "files": 0, "sockets": 0}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		log.Fatal(err)
	}
	for _, file := range files {
		if target, err := os.Readlink("/proc/self/fd/" + file.Name()); err != nil {
			continue // that of the directory itself
		} else if strings.HasPrefix(target, "socket:") {
			counts["sockets"]++
		} else {
			counts["files"]++
		}
	}
	return counts
}
