// Package contract is the benchmark's service as a go-plugin plugin, for a host and for a plugin process.
//
// Its source is bench.proto; `go generate` needs protoc, protoc-gen-go and protoc-gen-go-grpc.
package contract

//go:generate protoc -I ../.. --go_out=. --go_opt=paths=source_relative,Mbench.proto=benchpeers/contract --go-grpc_out=. --go-grpc_opt=paths=source_relative,Mbench.proto=benchpeers/contract bench.proto

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// DispenseName is the service's name in the plugin set.
const DispenseName = "bench"

// Plugin serves Service in a plugin process, and dispenses the connection itself in a host.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	Service BenchServer
}

func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	RegisterBenchServer(server, p.Service)
	return nil
}

func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, connection *grpc.ClientConn) (any, error) {
	return connection, nil
}
