// Command benchplugin serves the benchmark's service, as every plugin of the comparison does.
package main

import (
	"context"
	"math"

	"benchpeers/contract"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

type service struct {
	contract.UnimplementedBenchServer
}

func (service) Echo(_ context.Context, request *contract.Payload) (*contract.Payload, error) {
	return &contract.Payload{Data: request.GetData()}, nil
}

func (service) Repeat(request *contract.Burst, stream grpc.ServerStreamingServer[contract.Payload]) error {
	for range request.GetCount() {
		if err := stream.Send(&contract.Payload{Data: request.GetData()}); err != nil {
			return err
		}
	}
	return nil
}

// grpcServer is go-plugin's own with the limit on received messages lifted, as go-plugin's hosts lift theirs.
func grpcServer(options []grpc.ServerOption) *grpc.Server {
	return plugin.DefaultGRPCServer(append(options, grpc.MaxRecvMsgSize(math.MaxInt32)))
}

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  1,
			MagicCookieKey:   "BENCH_PLUGIN",
			MagicCookieValue: "bench",
		},
		Plugins:    plugin.PluginSet{contract.DispenseName: &contract.Plugin{Service: service{}}},
		GRPCServer: grpcServer,
	})
}
