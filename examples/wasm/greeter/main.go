//go:build wasip1

// The greeter in Go; the page docs/wasm.md builds it.
package main

import (
	"context"

	"guests/greeting"
)

func main() {}

func init() {
	greeting.RegisterGreeter(greeter{})
}

type greeter struct{}

func (greeter) SayHello(_ context.Context, request *greeting.GreetRequest) (*greeting.GreetReply, error) {
	return &greeting.GreetReply{Message: "Hello, " + request.Name + "!"}, nil
}
