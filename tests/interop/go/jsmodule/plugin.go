// Package jsmodule is the contract of JavaScript modules as a go-plugin plugin, for a host and for a plugin process.
//
// Its source is proto/jsbridge/_proto/jsmodule.proto; `go generate` needs protoc, protoc-gen-go and protoc-gen-go-grpc.
package jsmodule

//go:generate protoc -I ../../../../proto/jsbridge/_proto --go_out=. --go_opt=paths=source_relative,Mjsmodule.proto=gopeers/jsmodule;jsmodule --go-grpc_out=. --go-grpc_opt=paths=source_relative,Mjsmodule.proto=gopeers/jsmodule;jsmodule jsmodule.proto

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// DispenseName is the module's name in the plugin set.
const DispenseName = "js_module"

// Handshake is what host and plugin agree on before the first byte on the wire.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "GO_GO_GOJA_PLUGIN",
	MagicCookieValue: "js-module",
}

// Plugins is the versioned plugin set; a host needs no server.
func Plugins(server JSModuleServiceServer) map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{1: {DispenseName: &grpcPlugin{server: server}}}
}

type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server JSModuleServiceServer
}

func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	RegisterJSModuleServiceServer(server, p.server)
	return nil
}

func (p *grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, connection *grpc.ClientConn) (any, error) {
	return NewJSModuleServiceClient(connection), nil
}
