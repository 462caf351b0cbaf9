//go:build wasip1

// A plugin that implements every service of everything.proto, in one module, and uses two modules of the host's.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/knqyf263/go-plugin/types/known/emptypb"

	"guests/everything"
	"guests/words"
)

func main() {}

func init() {
	everything.RegisterGreeter(greeter{})
	everything.RegisterKinds(kinds{})
	everything.RegisterTrouble(trouble{})
	everything.RegisterSystem(system{})
}

type greeter struct{}

func (greeter) Greet(_ context.Context, request *everything.Text) (*everything.Text, error) {
	return &everything.Text{Text: "Hello, " + request.Text}, nil
}

func (greeter) GreetInWordsOfTheHost(ctx context.Context, request *everything.Text) (*everything.Text, error) {
	answer, err := everything.NewHost().Ask(ctx, request)
	if err != nil {
		return nil, err
	}
	total, err := words.NewWords().Count(ctx, &words.Sentence{Text: answer.Text})
	if err != nil {
		return nil, err
	}
	return &everything.Text{Text: fmt.Sprintf("%s (%d words)", answer.Text, total.Words)}, nil
}

func (greeter) Drain(ctx context.Context, request *everything.Blobs) (*everything.Number, error) {
	sum := int64(0)
	for range request.Count {
		blob, err := everything.NewHost().Blob(ctx, &everything.Number{Number: request.Size})
		if err != nil {
			return nil, err
		}
		sum += int64(len(blob.Bytes))
	}
	return &everything.Number{Number: sum}, nil
}

type kinds struct{}

func (kinds) Echo(_ context.Context, request *everything.All) (*everything.All, error) {
	return request, nil
}

func (kinds) EchoWellKnown(_ context.Context, request *everything.WellKnown) (*everything.WellKnown, error) {
	return request, nil
}

func (kinds) Nothing(_ context.Context, request *emptypb.Empty) (*emptypb.Empty, error) {
	return request, nil
}

type trouble struct{}

func (trouble) Fail(_ context.Context, request *everything.Text) (*everything.Text, error) {
	return nil, errors.New(request.Text)
}

func (trouble) Panic(_ context.Context, request *everything.Text) (*everything.Text, error) {
	panic(request.Text)
}

func (trouble) Exit(_ context.Context, request *everything.Number) (*everything.Text, error) {
	os.Exit(int(request.Number))
	return nil, nil
}

func (trouble) Deadlock(context.Context, *emptypb.Empty) (*everything.Text, error) {
	select {}
}

func (trouble) Spin(context.Context, *emptypb.Empty) (*everything.Text, error) {
	for {
	}
}

func (trouble) Hoard(context.Context, *emptypb.Empty) (*everything.Text, error) {
	var kept [][]byte
	for {
		block := make([]byte, 1<<20)
		for index := range block {
			block[index] = 1
		}
		kept = append(kept, block)
	}
}

type system struct{}

func (system) Read(_ context.Context, request *everything.Text) (*everything.Text, error) {
	content, err := os.ReadFile(request.Text)
	if err != nil {
		return nil, err
	}
	return &everything.Text{Text: string(content)}, nil
}

func (system) Write(_ context.Context, request *everything.File) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, os.WriteFile(request.Name, []byte(request.Content), 0o644)
}

func (system) Print(_ context.Context, request *everything.File) (*emptypb.Empty, error) {
	file := os.Stdout
	if request.Name == "stderr" {
		file = os.Stderr
	}
	_, err := fmt.Fprintln(file, request.Content)
	return &emptypb.Empty{}, err
}

func (system) Surroundings(context.Context, *emptypb.Empty) (*everything.Lines, error) {
	environment := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		environment[name] = value
	}
	return &everything.Lines{Arguments: os.Args, Environment: environment}, nil
}
