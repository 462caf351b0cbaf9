// A host on the published module: runs plugins with upstream's own generated code, on wazero.
//
//	host greeting FILE NAME...      SayHello of examples/wasm/greeter, one line for each name
//	host everything FILE NAME...    Greet and GreetInWordsOfTheHost of everything.proto, likewise
//	host measure FILE               does what stdin says, for the benchmarks; see measure.go
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"guests/everything"
	"guests/greeting"
	"guests/words"
)

type host struct{}

// What upstream's loader returns has a type of its own.
type everythingPlugin interface {
	everything.Greeter
	Close(context.Context) error
}

func (host) Ask(_ context.Context, request *everything.Text) (*everything.Text, error) {
	return &everything.Text{Text: "How do you do, " + request.Text}, nil
}

func (host) Blob(_ context.Context, request *everything.Number) (*everything.Bytes, error) {
	return &everything.Bytes{Bytes: make([]byte, request.Number)}, nil
}

func (host) Count(_ context.Context, request *words.Sentence) (*words.Total, error) {
	return &words.Total{Words: int32(len(strings.Fields(request.Text)))}, nil
}

func main() {
	ctx := context.Background()
	if err := run(ctx, os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, task, file string, arguments []string) error {
	switch task {
	case "greeting":
		return greet(ctx, file, arguments)
	case "everything":
		return everythingOf(ctx, file, arguments)
	case "measure":
		return measure(ctx, file)
	}
	return fmt.Errorf("no such task: %s", task)
}

func greet(ctx context.Context, file string, names []string) error {
	loader, err := greeting.NewGreeterPlugin(ctx)
	if err != nil {
		return err
	}
	plugin, err := loader.Load(ctx, file)
	if err != nil {
		return err
	}
	defer plugin.Close(ctx)
	for _, name := range names {
		reply, err := plugin.SayHello(ctx, &greeting.GreetRequest{Name: name})
		if err != nil {
			return err
		}
		fmt.Println(reply.Message)
	}
	return nil
}

// A runtime that has the second module of the host's as well.
func withWords(ctx context.Context) (wazero.Runtime, error) {
	runtime := wazero.NewRuntime(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, runtime); err != nil {
		return nil, err
	}
	return runtime, words.Instantiate(ctx, runtime, host{})
}

func load(ctx context.Context, file string) (everythingPlugin, error) {
	loader, err := everything.NewGreeterPlugin(ctx, everything.WazeroRuntime(withWords))
	if err != nil {
		return nil, err
	}
	return loader.Load(ctx, file, host{})
}

func everythingOf(ctx context.Context, file string, names []string) error {
	plugin, err := load(ctx, file)
	if err != nil {
		return err
	}
	defer plugin.Close(ctx)
	for _, name := range names {
		request := &everything.Text{Text: name}
		greeting, err := plugin.Greet(ctx, request)
		if err != nil {
			return err
		}
		fmt.Println(greeting.Text)
		if greeting, err = plugin.GreetInWordsOfTheHost(ctx, request); err != nil {
			return err
		}
		fmt.Println(greeting.Text)
	}
	return nil
}
