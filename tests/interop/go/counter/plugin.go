// Package counter is the contract of go-plugin's bidirectional example, for a host and for a plugin process: the plugin
// counts, and has its host add.
//
// Its source is counter.proto; `go generate` needs protoc, protoc-gen-go and protoc-gen-go-grpc.
package counter

//go:generate protoc -I . --go_out=. --go_opt=paths=source_relative,Mcounter.proto=gopeers/counter --go-grpc_out=. --go-grpc_opt=paths=source_relative,Mcounter.proto=gopeers/counter counter.proto

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// DispenseName is the counter's name in the plugin set.
const DispenseName = "counter"

// Handshake is what host and plugin agree on.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "BASIC_PLUGIN",
	MagicCookieValue: "hello",
}

// Plugins is the plugin set; a host needs no newServer.
func Plugins(newServer func(broker *plugin.GRPCBroker) CounterServer) plugin.PluginSet {
	return plugin.PluginSet{DispenseName: &grpcPlugin{newServer: newServer}}
}

// Host is the host's side of one counter.
type Host struct {
	CounterClient
	Broker *plugin.GRPCBroker
}

type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	newServer func(broker *plugin.GRPCBroker) CounterServer
}

func (p *grpcPlugin) GRPCServer(broker *plugin.GRPCBroker, server *grpc.Server) error {
	RegisterCounterServer(server, p.newServer(broker))
	return nil
}

func (p *grpcPlugin) GRPCClient(_ context.Context, broker *plugin.GRPCBroker, connection *grpc.ClientConn) (any, error) {
	return &Host{NewCounterClient(connection), broker}, nil
}
