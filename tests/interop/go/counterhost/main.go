// Command counterhost is a Go host of one counter, driven by JSON lines; see package drive. It adds for the plugin, on a
// server that it announces for each put.
//
//	{"op": "put", "key": "x", "value": 3} -> null
//	{"op": "get", "key": "x"}             -> 3
package main

import (
	"context"
	"encoding/json"
	"flag"

	"gopeers/counter"
	"gopeers/drive"

	"google.golang.org/grpc"
)

func main() {
	config := drive.NewConfig()
	flag.Parse()
	config.HandshakeConfig = counter.Handshake
	config.Plugins = counter.Plugins(nil)
	drive.Main(config, counter.DispenseName, map[string]drive.Operation[*counter.Host]{"put": put, "get": get})
}

type command struct {
	Key   string
	Value int64
}

type adder struct {
	counter.UnimplementedAddHelperServer
}

func (adder) Sum(_ context.Context, request *counter.SumRequest) (*counter.SumResponse, error) {
	return &counter.SumResponse{R: request.GetA() + request.GetB()}, nil
}

func put(ctx context.Context, host *counter.Host, text []byte) (any, error) {
	var command command
	if err := json.Unmarshal(text, &command); err != nil {
		return nil, err
	}
	id := host.Broker.NextId()
	serving := make(chan *grpc.Server, 1)
	go host.Broker.AcceptAndServe(id, func(options []grpc.ServerOption) *grpc.Server {
		server := grpc.NewServer(options...)
		counter.RegisterAddHelperServer(server, adder{})
		serving <- server
		return server
	})
	_, err := host.Put(ctx, &counter.PutRequest{AddServer: id, Key: command.Key, Value: command.Value})
	(<-serving).Stop()
	return nil, err
}

func get(ctx context.Context, host *counter.Host, text []byte) (any, error) {
	var command command
	if err := json.Unmarshal(text, &command); err != nil {
		return nil, err
	}
	reply, err := host.Get(ctx, &counter.GetRequest{Key: command.Key})
	return reply.GetValue(), err
}
