// Command counterplugin serves a counter from memory; its host adds.
package main

import (
	"context"
	"sync"

	"gopeers/counter"

	"github.com/hashicorp/go-plugin"
)

type server struct {
	counter.UnimplementedCounterServer
	broker *plugin.GRPCBroker
	mutex  sync.Mutex
	values map[string]int64
}

func newServer(broker *plugin.GRPCBroker) counter.CounterServer {
	return &server{broker: broker, values: map[string]int64{}}
}

func (s *server) Get(_ context.Context, request *counter.GetRequest) (*counter.GetResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return &counter.GetResponse{Value: s.values[request.GetKey()]}, nil
}

func (s *server) Put(ctx context.Context, request *counter.PutRequest) (*counter.Empty, error) {
	connection, err := s.broker.Dial(request.GetAddServer())
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	helper := counter.NewAddHelperClient(connection)
	sum, err := helper.Sum(ctx, &counter.SumRequest{A: s.values[request.GetKey()], B: request.GetValue()})
	if err != nil {
		return nil, err
	}
	s.values[request.GetKey()] = sum.GetR()
	return &counter.Empty{}, nil
}

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: counter.Handshake,
		Plugins:         counter.Plugins(newServer),
		GRPCServer:      plugin.DefaultGRPCServer,
	})
}
